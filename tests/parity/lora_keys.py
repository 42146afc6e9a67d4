"""Makes fixtures/lora_keys.json.gz: which weight of a checkpoint each key of a kohya LoRA reaches in the programs that
people draw with, for the full-size UNets of Stable Diffusion 1.5, 2.1 and SDXL (their configs, on no device).

For each model
  config    config.json
  modules   {path in diffusers: [path in the checkpoint as published (ldm names), shape of its weight]}, of every layer
            that a LoRA can sit on
  comfyui   {key: path in the checkpoint}: the map that ComfyUI's loader builds (comfy/lora.py, model_lora_keys_unet)
  a1111     {key: path in the checkpoint}: what stable-diffusion-webui makes of the same keys, of those that it finds
            (extensions-builtin/Lora/networks.py); SDXL's up_blocks.0.upsamplers.0.conv it finds under its ldm name only

A key is "lora_unet_" and a path, flattened: the part before ".lora_down.weight", ".lora_up.weight" and ".alpha".

The rules below were written from what those programs do, not out of their code. Checked here: the paths against diffusers'
own converter of checkpoints, and both ways to write keys against diffusers' own loader of LoRAs, in which no key may be
missing or left over. Checked by hand (2025-10 of ComfyUI, commit a125cd84b054): its model_lora_keys_unet on its own UNets
of the three configs gives every key of `comfyui` with the same path, and its load_lora takes every key of a LoRA on the 14
targets in either way of writing, with none left over and none without an effect. (Of a LoRA with diffusers' own keys it
takes 150 of SD1.5's 278 modules and 228 of SDXL's 788, and warns of the rest: kohya keys are the ones for it.)

Run: python tests/parity/lora_keys.py  (torch 2.11, diffusers 0.42)
"""

import gzip
import json
import pathlib
import re

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from diffusers.utils import convert_unet_state_dict_to_peft

from unet_configs import FULL

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "lora_keys.json.gz"

# 1. The names of the published checkpoints.
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}
EDGES = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}


def in_checkpoint(path, config):
    """Input and output blocks are counted through, three to a level; a level's last output block ends in its upsampler."""
    if path in EDGES:
        return EDGES[path]
    level, rest = re.fullmatch(r"(?:down|mid|up)_blocks?\.?(\d*)\.(.+)", path).groups()
    kind, index, member = re.fullmatch(r"(\w+)\.(\d+)\.(.+)", rest).groups()
    member = RESNET[member] if kind == "resnets" else member
    place = int(kind == "attentions")
    if path.startswith("mid"):
        return f"middle_block.{1 if place else 2 * int(index)}.{member}"
    level, index, layers = int(level), int(index), config["layers_per_block"]
    if path.startswith("down"):
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        return f"input_blocks.{1 + level * (layers + 1) + index}.{place}.{member}"
    if kind == "upsamplers":
        after_attention = "CrossAttn" in config["up_block_types"][level]
        return f"output_blocks.{level * (layers + 1) + layers}.{1 + after_attention}.conv"
    return f"output_blocks.{level * (layers + 1) + index}.{place}.{member}"


def key(path):
    return "lora_unet_" + path.replace(".", "_")


# 2. ComfyUI: every weight under its own name and, out of a table, under that of diffusers.
def comfyui(names):
    return {key(path): path for path in names.values()} | {key(ours): path for ours, path in names.items()}


# 3. stable-diffusion-webui: blocks are counted with SD1's structure; what is not found so is looked up as it is.
def a1111(written, known):
    found = known.get(webui(written)) or known.get(written.removeprefix("lora_unet_"))
    return {written: found} if found else {}


def webui(written):
    flat = {name: member.replace(".", "_") for name, member in RESNET.items()}
    if m := re.fullmatch(r"lora_unet_(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", written):
        side, level, kind, index, member = m.groups()
        block = 3 * int(level) + int(index)
        block = f"input_blocks_{1 + block}" if side == "down" else f"output_blocks_{block}"
        return f"{block}_1_{member}" if kind == "attentions" else f"{block}_0_{flat[member]}"
    if m := re.fullmatch(r"lora_unet_mid_block_(attentions|resnets)_(\d+)_(.+)", written):
        kind, index, member = m.groups()
        return f"middle_block_1_{member}" if kind == "attentions" else f"middle_block_{2 * int(index)}_{flat[member]}"
    if m := re.fullmatch(r"lora_unet_down_blocks_(\d+)_downsamplers_0_conv", written):
        return f"input_blocks_{3 * int(m[1]) + 3}_0_op"
    if m := re.fullmatch(r"lora_unet_up_blocks_(\d+)_upsamplers_0_conv", written):
        return f"output_blocks_{3 * int(m[1]) + 2}_{2 if int(m[1]) else 1}_conv"
    if m := re.fullmatch(r"lora_unet_time_embedding_linear_(\d)", written):
        return f"time_embed_{2 * int(m[1]) - 2}"
    return {"lora_unet_conv_in": "input_blocks_0_0", "lora_unet_conv_out": "out_2"}.get(written)


# 4. diffusers, which is at hand.
def check_converter(names, config):
    def tagged(paths):
        return {f"{path}.{part}": torch.tensor(i) for i, path in enumerate(paths) for part in ("weight", "bias")}

    checkpoint = {f"model.diffusion_model.{k}": v for k, v in tagged(names.values()).items()}
    assert convert_ldm_unet_checkpoint(checkpoint, dict(config)) == tagged(names)


def check_loader(paths, written, unet, loader):
    """`written`: the keys in the order of the modules; each has its number for a weight."""
    state = {}
    for i, name in enumerate(written):
        state[f"{name}.lora_down.weight"] = state[f"{name}.lora_up.weight"] = torch.tensor([[float(i)]])
        state[f"{name}.alpha"] = torch.tensor(float(i))
    # As the pipelines call it.
    config = dict(unet_config=unet.config) if loader is StableDiffusionXLLoraLoaderMixin else {}
    state, alphas = loader.lora_state_dict(state, **config)
    state = convert_unet_state_dict_to_peft({k.removeprefix("unet."): v for k, v in state.items()})
    halves = {f"{path}.lora_{half}.weight": i for i, path in enumerate(paths) for half in "AB"}
    assert {k: v.item() for k, v in state.items()} == halves
    # Under names of which not all are those of the modules: the loader misses alphas that differ.
    assert sorted(alphas.values()) == list(range(len(paths)))


def described(name, config):
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    shapes = {path: m.weight.shape for path, m in unet.named_modules() if getattr(m, "weight", None) is not None}
    names = {path: in_checkpoint(path, unet.config) for path in shapes}
    check_converter(names, unet.config)
    names = {path: original for path, original in names.items() if len(shapes[path]) > 1}
    known = {path.replace(".", "_"): path for path in names.values()}
    loader = StableDiffusionXLLoraLoaderMixin if name == "sdxl" else StableDiffusionLoraLoaderMixin
    # diffusers does not take LoRAs on the edges.
    inner = [path for path in names if "blocks" in path or "mid_block" in path]
    check_loader(inner, [key(path) for path in inner], unet, loader)
    if name == "sdxl":
        check_loader(inner, [key(names[path]) for path in inner], unet, loader)
    found = comfyui(names)
    return {
        "config": json.loads(unet.to_json_string()),
        "modules": {path: [original, list(shapes[path])] for path, original in names.items()},
        "comfyui": found,
        "a1111": {k: v for written in found for k, v in a1111(written, known).items()},
    }


if __name__ == "__main__":
    text = json.dumps({name: described(name, config) for name, config in FULL.items()}, sort_keys=True)
    FIXTURE.write_bytes(gzip.compress((text + "\n").encode(), mtime=0))
    print(FIXTURE.stat().st_size, "bytes")
