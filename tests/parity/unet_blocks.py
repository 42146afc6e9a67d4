"""Makes fixtures/unet_blocks_<name>.safetensors: what each kind of block, taken out of the models of unet_configs.py by its
path, makes of the formula's inputs with the formula's weights. Keys:

- "<path>": the output; "<path>.skip.<i>": what a down block keeps
- "<path>.lora": the sketch (unet.py) of the output with LoRA on all target modules of the block
- "<path>.grads": the sketches of the gradients of (that output * formula("loss")).sum() by the LoRA's tensors

Inputs: "x" (2, c, 4, 3) or (2, 12, c); "time" (2, time), "text" (2, 5, dim), "added" (2, projection dim), "skip.<i>" for
an up block's, of 4x3, and timesteps 999 and 20. Python computes in float64.

Run: python tests/parity/unet_blocks.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import pathlib

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

import formula
from unet import add_lora, sketch
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def x(channels, sequence=False):
    return formula.input("x", (2, 12, channels) if sequence else (2, channels, 4, 3)).double()


def time(config):
    return formula.input("time", (2, 4 * config["block_out_channels"][0])).double()


def text(config):
    dim = config["cross_attention_dim"]
    return formula.input("text", (2, 5, dim if isinstance(dim, int) else dim[0])).double()


def from_below(config, path):
    """How many channels come from below into a block on the way up."""
    widths = config["block_out_channels"][::-1]
    return widths[max(int(path.rsplit(".", 1)[1]) - 1, 0)]


def skips(block, below):
    """What the way down would have kept: the last is taken first."""
    out_channels = block.resnets[0].out_channels
    widths = [resnet.norm1.num_channels - (out_channels if i else below) for i, resnet in enumerate(block.resnets)]
    made = [formula.input(f"skip.{i}", (2, width, 4, 3)).double() for i, width in enumerate(widths)]
    return tuple(reversed(made))


def run(config, path, module, time_proj):
    kind = type(module).__name__
    if path == "time_embedding":
        return module(time_proj(torch.tensor([999, 20])).double())
    if path == "add_embedding":
        return module(formula.input("added", (2, config["projection_class_embeddings_input_dim"])).double())
    if kind == "ResnetBlock2D":
        return module(x(module.in_channels), time(config))
    if kind == "Attention":
        other = text(config) if path.endswith("attn2") else None
        return module(x(module.to_q.in_features, True), encoder_hidden_states=other)
    if kind == "FeedForward":
        return module(x(module.net[0].proj.in_features, True))
    if kind == "BasicTransformerBlock":
        return module(x(module.norm1.normalized_shape[0], True), encoder_hidden_states=text(config))
    if kind == "Transformer2DModel":
        return module(x(module.norm.num_channels), encoder_hidden_states=text(config)).sample
    attended = {} if kind in ("DownBlock2D", "UpBlock2D") else {"encoder_hidden_states": text(config)}
    if "Up" in kind:
        below = from_below(config, path)
        return module(x(below), skips(module, below), time(config), **attended)
    return module(x(module.resnets[0].in_channels), time(config), **attended)


LAYERS = [
    "time_embedding", "down_blocks.0.resnets.0", "down_blocks.1.resnets.0", "up_blocks.1.resnets.0",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1", "down_blocks.1.attentions.0.transformer_blocks.0.attn2",
    "down_blocks.1.attentions.0.transformer_blocks.0.ff", "down_blocks.1.attentions.0.transformer_blocks.0",
    "down_blocks.1.attentions.0",
]


def blocks(config):
    indices = range(len(config["block_out_channels"]))
    return [f"down_blocks.{i}" for i in indices] + ["mid_block"] + [f"up_blocks.{i}" for i in indices]


PATHS = {
    "sd15": LAYERS + blocks(CONFIGS["sd15"]),
    "sd21": LAYERS + blocks(CONFIGS["sd21"]),
    "sdxl": LAYERS + ["add_embedding"] + blocks(CONFIGS["sdxl"]),
    "variant": ["time_embedding", "mid_block.resnets.0"] + blocks(CONFIGS["variant"]),
}


def gradients(path, output, lora):
    for tensor in lora.values():
        tensor.grad = None
    (output * formula.input("loss", output.shape)).sum().backward()
    names = [name for name in lora if name.startswith(path + ".")]
    return torch.stack([sketch(name, lora[name].grad) for name in sorted(names, key=lambda name: name.rsplit(".", 1))])


def make(name, paths):
    config, results = CONFIGS[name], {}
    unet = UNet2DConditionModel(**config).eval()
    formula.fill(unet)
    unet.double()
    for path in paths:
        output = run(config, path, unet.get_submodule(path), unet.time_proj)
        if isinstance(output, tuple):
            output, kept = output
            results.update({f"{path}.skip.{i}": skip for i, skip in enumerate(kept)})
        results[path] = output
    lora = add_lora(unet)
    for path in paths:
        if path.endswith("_embedding"):
            continue
        output = run(config, path, unet.get_submodule(path), unet.time_proj)
        output = output[0] if isinstance(output, tuple) else output
        results[f"{path}.lora"] = sketch("output", output)
        results[f"{path}.grads"] = gradients(path, output, lora)
    results = {key: value.detach().float().contiguous() for key, value in results.items()}
    save_file(results, FIXTURES / f"unet_blocks_{name}.safetensors")


if __name__ == "__main__":
    for name, paths in PATHS.items():
        make(name, paths)
