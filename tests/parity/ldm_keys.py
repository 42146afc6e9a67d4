"""Names and shapes of the tensors in a single-file checkpoint, as the latent-diffusion code that trained them has them.

Written from the published configurations (v1-inference, v2-inference-v, sd_xl_base). Compared by hand, once: names, shapes
and order of the UNet and the autoencoder of all three, and of OpenCLIP's text towers ViT-H-14 and ViT-bigG-14, equal those
of the original modules' `state_dict()` (latent-diffusion of Stable Diffusion 1 and 2, generative-models of SDXL, OpenCLIP),
built from these configurations without memory.
"""

CLIP_L = dict(width=768, layers=12, inner=3072, vocab=49408, length=77)

FULL = {
    "sd15": dict(
        channels=320, mult=(1, 2, 4, 4), depth=(1, 1, 1, 0), middle=1, context=768, linear=False, adm=None,
        vae=128, clip=CLIP_L,
    ),
    "sd21": dict(
        channels=320, mult=(1, 2, 4, 4), depth=(1, 1, 1, 0), middle=1, context=1024, linear=True, adm=None,
        vae=128, open_clip=dict(width=1024, layers=24, inner=4096, projection=1024, vocab=49408, length=77),
    ),
    "sdxl": dict(
        channels=320, mult=(1, 2, 4), depth=(0, 2, 10), middle=10, context=2048, linear=True, adm=2816,
        vae=128, clip=CLIP_L,
        open_clip=dict(width=1280, layers=32, inner=5120, projection=1280, vocab=49408, length=77),
    ),
}

# The same structure, little width; what diffusers builds from configurations of single_file.py.
TINY_CLIP = dict(width=8, layers=2, inner=12, vocab=520, length=16)
TINY = {
    "sd15": dict(
        channels=4, mult=(1, 2, 3, 3), depth=(1, 1, 1, 0), middle=1, context=8, linear=False, adm=None, vae=4,
        clip=TINY_CLIP,
    ),
    "sd21": dict(
        channels=4, mult=(1, 2, 3, 3), depth=(1, 1, 1, 0), middle=1, context=8, linear=True, adm=None, vae=4,
        open_clip=dict(width=8, layers=3, inner=12, projection=8, vocab=520, length=16),
    ),
    "sdxl": dict(
        channels=4, mult=(1, 2, 3), depth=(0, 1, 2), middle=2, context=18, linear=True, adm=10 + 6 * 4, vae=4,
        clip=TINY_CLIP, open_clip=dict(width=10, layers=2, inner=12, projection=10, vocab=520, length=16),
    ),
}


def both(keys, name, *shape):
    """A layer with a bias."""
    keys[name + ".weight"] = list(shape)
    keys[name + ".bias"] = [shape[0]]


def norm(keys, name, width):
    both(keys, name, width)


def resnet(keys, name, inp, out, time):
    norm(keys, f"{name}.in_layers.0", inp)
    both(keys, f"{name}.in_layers.2", out, inp, 3, 3)
    both(keys, f"{name}.emb_layers.1", out, time)
    norm(keys, f"{name}.out_layers.0", out)
    both(keys, f"{name}.out_layers.3", out, out, 3, 3)
    if inp != out:
        both(keys, f"{name}.skip_connection", out, inp, 1, 1)


def transformer(keys, name, width, depth, context, linear):
    kernel = [] if linear else [1, 1]
    norm(keys, f"{name}.norm", width)
    both(keys, f"{name}.proj_in", width, width, *kernel)
    for i in range(depth):
        block = f"{name}.transformer_blocks.{i}"
        attention(keys, f"{block}.attn1", width, width)
        both(keys, f"{block}.ff.net.0.proj", 8 * width, width)
        both(keys, f"{block}.ff.net.2", width, 4 * width)
        attention(keys, f"{block}.attn2", width, context)
        for n in (1, 2, 3):
            norm(keys, f"{block}.norm{n}", width)
    both(keys, f"{name}.proj_out", width, width, *kernel)


def attention(keys, name, width, context):
    keys[f"{name}.to_q.weight"] = [width, width]
    keys[f"{name}.to_k.weight"] = [width, context]
    keys[f"{name}.to_v.weight"] = [width, context]
    both(keys, f"{name}.to_out.0", width, width)


def unet(c):
    keys = {}
    first, time = c["channels"], 4 * c["channels"]
    both(keys, "time_embed.0", time, first)
    both(keys, "time_embed.2", time, time)
    if c["adm"]:
        both(keys, "label_emb.0.0", time, c["adm"])
        both(keys, "label_emb.0.2", time, time)
    both(keys, "input_blocks.0.0", first, 4, 3, 3)
    skips, width, n = [first], first, 1
    last = len(c["mult"]) - 1

    def block(name, inp, out, depth):
        resnet(keys, f"{name}.0", inp, out, time)
        if depth:
            transformer(keys, f"{name}.1", out, depth, c["context"], c["linear"])

    for level, (mult, depth) in enumerate(zip(c["mult"], c["depth"])):
        for _ in range(2):
            block(f"input_blocks.{n}", width, first * mult, depth)
            width = first * mult
            skips.append(width)
            n += 1
        if level != last:
            both(keys, f"input_blocks.{n}.0.op", width, width, 3, 3)
            skips.append(width)
            n += 1
    resnet(keys, "middle_block.0", width, width, time)
    transformer(keys, "middle_block.1", width, c["middle"], c["context"], c["linear"])
    resnet(keys, "middle_block.2", width, width, time)
    n = 0
    for level in reversed(range(last + 1)):
        depth = c["depth"][level]
        for i in range(3):
            out = first * c["mult"][level]
            block(f"output_blocks.{n}", width + skips.pop(), out, depth)
            width = out
            if level and i == 2:
                both(keys, f"output_blocks.{n}.{2 if depth else 1}.conv", width, width, 3, 3)
            n += 1
    norm(keys, "out.0", width)
    both(keys, "out.2", 4, first, 3, 3)
    return keys


def vae_resnet(keys, name, inp, out):
    norm(keys, f"{name}.norm1", inp)
    both(keys, f"{name}.conv1", out, inp, 3, 3)
    norm(keys, f"{name}.norm2", out)
    both(keys, f"{name}.conv2", out, out, 3, 3)
    if inp != out:
        both(keys, f"{name}.nin_shortcut", out, inp, 1, 1)


def vae_middle(keys, name, width):
    vae_resnet(keys, f"{name}.block_1", width, width)
    norm(keys, f"{name}.attn_1.norm", width)
    for layer in ("q", "k", "v", "proj_out"):
        both(keys, f"{name}.attn_1.{layer}", width, width, 1, 1)
    vae_resnet(keys, f"{name}.block_2", width, width)


def vae(first):
    keys, mult = {}, (1, 2, 4, 4)
    inner = first * mult[-1]
    both(keys, "encoder.conv_in", first, 3, 3, 3)
    width = first
    for i, m in enumerate(mult):
        for j in range(2):
            vae_resnet(keys, f"encoder.down.{i}.block.{j}", width, first * m)
            width = first * m
        if i != len(mult) - 1:
            both(keys, f"encoder.down.{i}.downsample.conv", width, width, 3, 3)
    vae_middle(keys, "encoder.mid", inner)
    norm(keys, "encoder.norm_out", inner)
    both(keys, "encoder.conv_out", 8, inner, 3, 3)
    both(keys, "decoder.conv_in", inner, 4, 3, 3)
    vae_middle(keys, "decoder.mid", inner)
    ups = {}
    for i in reversed(range(len(mult))):
        up = ups[i] = {}
        for j in range(3):
            vae_resnet(up, f"decoder.up.{i}.block.{j}", width, first * mult[i])
            width = first * mult[i]
        if i != 0:
            both(up, f"decoder.up.{i}.upsample.conv", width, width, 3, 3)
    for i in range(len(mult)):
        keys.update(ups[i])
    norm(keys, "decoder.norm_out", width)
    both(keys, "decoder.conv_out", 3, width, 3, 3)
    both(keys, "quant_conv", 8, 8, 1, 1)
    both(keys, "post_quant_conv", 4, 4, 1, 1)
    return keys


def clip(c):
    """transformers' CLIPTextModel, with the buffer that it had until 4.31."""
    w = c["width"]
    keys = {
        "text_model.embeddings.position_ids": [1, c["length"]],
        "text_model.embeddings.token_embedding.weight": [c["vocab"], w],
        "text_model.embeddings.position_embedding.weight": [c["length"], w],
    }
    for i in range(c["layers"]):
        layer = f"text_model.encoder.layers.{i}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            both(keys, f"{layer}.self_attn.{name}", w, w)
        norm(keys, f"{layer}.layer_norm1", w)
        both(keys, f"{layer}.mlp.fc1", c["inner"], w)
        both(keys, f"{layer}.mlp.fc2", w, c["inner"])
        norm(keys, f"{layer}.layer_norm2", w)
    norm(keys, "text_model.final_layer_norm", w)
    return keys


def open_clip(c):
    w = c["width"]
    keys = {"positional_embedding": [c["length"], w], "text_projection": [w, c["projection"]], "logit_scale": []}
    for i in range(c["layers"]):
        layer = f"transformer.resblocks.{i}"
        norm(keys, f"{layer}.ln_1", w)
        keys[f"{layer}.attn.in_proj_weight"] = [3 * w, w]
        keys[f"{layer}.attn.in_proj_bias"] = [3 * w]
        both(keys, f"{layer}.attn.out_proj", w, w)
        norm(keys, f"{layer}.ln_2", w)
        both(keys, f"{layer}.mlp.c_fc", c["inner"], w)
        both(keys, f"{layer}.mlp.c_proj", w, c["inner"])
    keys["token_embedding.weight"] = [c["vocab"], w]
    norm(keys, "ln_final", w)
    return keys


BUFFERS = (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
)


def checkpoint(family, c):
    """A whole file: {key: shape}."""
    parts = {"model.diffusion_model.": unet(c), "first_stage_model.": vae(c["vae"])}
    if family == "sd15":
        parts["cond_stage_model.transformer."] = clip(c["clip"])
    elif family == "sd21":
        parts["cond_stage_model.model."] = open_clip(c["open_clip"])
    else:
        parts["conditioner.embedders.0.transformer."] = clip(c["clip"])
        parts["conditioner.embedders.1.model."] = open_clip(c["open_clip"])
    keys = {prefix + key: shape for prefix, part in parts.items() for key, shape in part.items()}
    if family == "sdxl":
        keys["denoiser.sigmas"] = [1000]
    else:
        keys.update({name: [1000] for name in BUFFERS})
    return keys
