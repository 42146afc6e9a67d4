"""Checkpoints in one file, converted by diffusers.

    python3 tests/parity/single_file.py

fixtures/single_file_names.json.gz: for the full-size models each key of ldm_keys.py with its shape, and where diffusers'
converters put it: [component, name, part], part being "whole", "third 0" to "third 2" (of the rows) or "transposed".
fixtures/single_file_tiny.json.gz: for a tiny model of each structure the configurations, and shape and checksum (CRC-32 of the
float32 bytes) of every tensor that the converters make of the weights of formula.py.
"""

import gzip
import json
import os
import zlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils as sf
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import formula
import ldm_keys

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")

TINY_UNET = dict(
    sample_size=16, block_out_channels=(4, 8, 12, 12), norm_num_groups=2, cross_attention_dim=8, attention_head_dim=2,
)
TINY_XL = dict(
    sample_size=16, block_out_channels=(4, 8, 12), norm_num_groups=2, cross_attention_dim=18, attention_head_dim=(1, 2, 3),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), use_linear_projection=True,
    transformer_layers_per_block=(1, 1, 2), addition_embed_type="text_time", addition_time_embed_dim=4,
    projection_class_embeddings_input_dim=10 + 6 * 4,
)
TINY_VAE = dict(
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    block_out_channels=(4, 8, 16, 16), layers_per_block=2, norm_num_groups=2, sample_size=64,
)
TINY_TEXT = dict(
    vocab_size=520, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, projection_dim=8,
    max_position_embeddings=16, bos_token_id=62, eos_token_id=63, pad_token_id=63,
)
TINY = {
    "sd15": dict(unet=TINY_UNET, text_encoder=TINY_TEXT),
    "sd21": dict(
        unet=dict(TINY_UNET, attention_head_dim=(1, 2, 3, 3), use_linear_projection=True),
        text_encoder=dict(TINY_TEXT, hidden_act="gelu"),
    ),
    "sdxl": dict(
        unet=TINY_XL, text_encoder=TINY_TEXT,
        text_encoder_2=dict(TINY_TEXT, hidden_size=10, projection_dim=10, hidden_act="gelu"),
    ),
}


def convert(family, checkpoint, models):
    """{component: {name: tensor}} as diffusers has it before it loads them."""
    parts = {
        "unet": sf.convert_ldm_unet_checkpoint(dict(checkpoint), dict(models["unet"].config)),
        "vae": sf.convert_ldm_vae_checkpoint(dict(checkpoint), dict(models["vae"].config)),
    }
    open_clip = lambda model, prefix: sf.convert_open_clip_checkpoint(model, dict(checkpoint), prefix=prefix)
    if family == "sd21":
        parts["text_encoder"] = open_clip(models["text_encoder"], "cond_stage_model.model.")
    else:
        parts["text_encoder"] = sf.convert_ldm_clip_checkpoint(dict(checkpoint))
        parts["text_encoder"].pop("text_model.embeddings.position_ids")
    if family == "sdxl":
        parts["text_encoder_2"] = open_clip(models["text_encoder_2"], "conditioner.embedders.1.model.")
    for component, tensors in parts.items():
        found = {name: list(tensor.shape) for name, tensor in tensors.items()}
        wanted = {name: list(tensor.shape) for name, tensor in models[component].state_dict().items()}
        if isinstance(models[component], CLIPTextModel):
            wanted = {f"text_model.{name.removeprefix('text_model.')}": shape for name, shape in wanted.items()}
        assert found == wanted, (family, component)
    return parts


def build(parts):
    classes = dict(
        unet=lambda c: UNet2DConditionModel(**{k: v for k, v in c.items() if k[0] != "_"}),
        vae=lambda c: AutoencoderKL(**{k: v for k, v in c.items() if k[0] != "_"}),
        text_encoder=lambda c: CLIPTextModel(CLIPTextConfig(**c)),
        text_encoder_2=lambda c: CLIPTextModelWithProjection(CLIPTextConfig(**c)),
    )
    with torch.device("meta"):
        return {component: classes[component](config) for component, config in parts.items()}


def numbered(key, shape, i):
    """A tensor of any size that says which key it is of, and which third of the rows, or which row, is where."""
    if key.endswith((".in_proj_weight", ".in_proj_bias")):
        thirds = (torch.arange(3) / 4).repeat_interleave(shape[0] // 3) + i
        return thirds.reshape([-1] + [1] * (len(shape) - 1)).expand(shape)
    if key.endswith(".text_projection"):
        return ((torch.arange(shape[0]) > 0) / 4 + i).unsqueeze(1).expand(shape)
    return torch.tensor(float(i)).expand(shape)


def names(family):
    with open(os.path.join(FIXTURES, "full_size_configs.json")) as file:
        models = build(json.load(file)[family])
    keys = ldm_keys.checkpoint(family, ldm_keys.FULL[family])
    order = list(keys)
    table = {key: [shape] for key, shape in keys.items()}
    parts = convert(family, {key: numbered(key, shape, i) for i, (key, shape) in enumerate(keys.items())}, models)
    for component, tensors in parts.items():
        for name, tensor in tensors.items():
            first = float(tensor.flatten()[0])
            key, part = order[int(first)], "whole"
            if "in_proj" in key:
                part = f"third {int((first - int(first)) * 4)}"
            elif key.endswith("text_projection"):
                part = "transposed" if tensor[0, 0] != tensor[0, 1] else "whole"
            table[key].append([component, name, part])
    return table


def tiny(family):
    configs = dict(TINY[family], vae=TINY_VAE)
    models = build(configs)
    # The converter knows the last layer, which is not used, by its full-size number.
    ignored = sf.SD_2_TEXT_ENCODER_KEYS_TO_IGNORE
    sf.SD_2_TEXT_ENCODER_KEYS_TO_IGNORE = [key.replace("resblocks.23.", "resblocks.2.") for key in ignored]
    keys = ldm_keys.checkpoint(family, ldm_keys.TINY[family])
    parts = convert(family, {key: formula.weight(key, shape) for key, shape in keys.items()}, models)
    sf.SD_2_TEXT_ENCODER_KEYS_TO_IGNORE = ignored
    sums = {
        component: {
            name: [list(tensor.shape), zlib.crc32(tensor.contiguous().numpy().tobytes())] for name, tensor in tensors.items()
        }
        for component, tensors in parts.items()
    }
    return dict(configs=configs, keys=keys, tensors=sums)


def main():
    with gzip.GzipFile(os.path.join(FIXTURES, "single_file_names.json.gz"), "wb", mtime=0) as file:
        file.write(json.dumps({family: names(family) for family in ldm_keys.FULL}, separators=(",", ":")).encode())
    with gzip.GzipFile(os.path.join(FIXTURES, "single_file_tiny.json.gz"), "wb", mtime=0) as file:
        file.write(json.dumps({family: tiny(family) for family in TINY}, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
