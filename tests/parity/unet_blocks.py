"""Makes fixtures/unet_blocks.safetensors: the output of each kind of block, taken out of the models of unet_configs.py
by its path, on the formula's weights and inputs. Keys are "<config>.<path>", and "….skip.<i>" for what a down block keeps.

Inputs: "x" (2, c, 4, 4) or (2, 16, c); "time" (2, time), "text" (2, 5, dim), "skip.<i>" for an up block's, of 4x4, and
timesteps 999 and 20. Python computes in float64.

Run: python tests/parity/unet_blocks.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import pathlib

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

import formula
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
# What comes from below into both of the blocks on the way up.
UP_CHANNELS = 24


def x(channels, sequence=False):
    return formula.input("x", (2, 16, channels) if sequence else (2, channels, 4, 4)).double()


def time(config):
    return formula.input("time", (2, 4 * config["block_out_channels"][0])).double()


def text(config):
    dim = config["cross_attention_dim"]
    return formula.input("text", (2, 5, dim if isinstance(dim, int) else dim[0])).double()


def skips(block):
    """What the way down would have kept: the last is taken first."""
    out_channels = block.resnets[0].out_channels
    widths = [resnet.norm1.num_channels - (out_channels if i else UP_CHANNELS) for i, resnet in enumerate(block.resnets)]
    made = [formula.input(f"skip.{i}", (2, width, 4, 4)).double() for i, width in enumerate(widths)]
    return tuple(reversed(made))


def run(config, path, module, time_proj):
    kind = type(module).__name__
    if kind == "TimestepEmbedding":
        return module(time_proj(torch.tensor([999, 20])).double())
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
    if "Down" in kind:
        return module(x(module.resnets[0].in_channels), time(config), **attended)
    if "Up" in kind:
        return module(x(UP_CHANNELS), skips(module), time(config), **attended)
    return module(x(module.resnets[0].in_channels), time(config), **attended)


BLOCKS = {
    "sd15": [
        "time_embedding",
        "down_blocks.0.resnets.0",
        "up_blocks.3.resnets.0",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2",
        "down_blocks.0.attentions.0.transformer_blocks.0.ff",
        "down_blocks.0.attentions.0.transformer_blocks.0",
        "down_blocks.0.attentions.0",
        "down_blocks.0",
        "down_blocks.3",
        "mid_block",
        "up_blocks.0",
        "up_blocks.1",
    ],
    "sdxl": ["down_blocks.2.attentions.0", "down_blocks.0"],
    "variant": ["time_embedding", "mid_block.resnets.0", "mid_block", "down_blocks.0"],
}

if __name__ == "__main__":
    results = {}
    for name, paths in BLOCKS.items():
        unet = UNet2DConditionModel(**CONFIGS[name]).eval()
        formula.fill(unet)
        unet.double()
        for path in paths:
            output = run(CONFIGS[name], path, unet.get_submodule(path), unet.time_proj)
            if isinstance(output, tuple):
                output, kept = output
                results.update({f"{name}.{path}.skip.{i}": skip for i, skip in enumerate(kept)})
            results[f"{name}.{path}"] = output
    results = {key: value.detach().float().contiguous() for key, value in results.items()}
    save_file(results, FIXTURES / "unet_blocks.safetensors")
