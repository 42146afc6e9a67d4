"""Makes fixtures/lora_norms.json and fixtures/lora_norms.safetensors, to which src/look/lora.rs is held.

lora_norms.json
  "digits"  by block of the UNet of lora.py, whose LoRA is fixtures/lora_kohya.safetensors: modules, rank, the Frobenius norm of
            all ΔW of the block together and the root mean square of one number of ΔW, ΔW being what peft's
            `get_delta_weight` gives in float64
  "mixed"   the same of lora_norms.safetensors: keys of kohya with ranks from 1 to 5, an alpha each, convolutions, more than
            ten blocks, both text encoders, and a module in no block; ΔW by torch in float64

Run: python tests/parity/lora_norms.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import json

import torch
from peft.tuners.lora.layer import LoraLayer
from safetensors.torch import save_file

import formula
from lora import FIXTURES, adapted

MIXED = {
    # key: (out, rank, in and kernel, alpha, block)
    "lora_unet_conv_in": (8, 2, (4, 3, 3), 2.0, "conv_in"),
    "lora_unet_time_embedding_linear_1": (12, 1, (6,), 0.5, "time_embedding"),
    "lora_unet_down_blocks_1_resnets_0_conv1": (10, 3, (7, 3, 3), 4.0, "down_blocks.1"),
    "lora_unet_down_blocks_1_attentions_0_proj_in": (9, 5, (11,), 5.0, "down_blocks.1"),
    "lora_unet_mid_block_attentions_0_proj_out": (8, 4, (8, 1, 1), 1.0, "mid_block"),
    "lora_unet_input_blocks_11_1_proj_in": (8, 4, (8,), 3.0, "input_blocks.11"),
    "lora_unet_up_blocks_0_resnets_2_conv2": (6, 2, (5, 3, 3), 8.0, "up_blocks.0"),
    "lora_te1_text_model_encoder_layers_0_mlp_fc1": (16, 3, (4,), 3.0, "text encoder 1"),
    "lora_te2_text_model_encoder_layers_7_self_attn_q_proj": (6, 2, (6,), 1.0, "text encoder 2"),
    "lora_unet_conv_norm": (3, 1, (3,), 1.0, "other"),
}


def totals(modules):
    """{block: …} of [(block, rank, ΔW)]."""
    blocks = {}
    for block, rank, delta in modules:
        found = blocks.setdefault(block, {"modules": 0, "rank": 0, "square": 0.0, "weights": 0})
        found["modules"] += 1
        found["rank"] = max(found["rank"], rank)
        found["square"] += delta.double().square().sum().item()
        found["weights"] += delta.numel()
    return {
        block: {
            "modules": found["modules"],
            "rank": found["rank"],
            "norm": found["square"] ** 0.5,
            "per_weight": (found["square"] / found["weights"]) ** 0.5,
        }
        for block, found in blocks.items()
    }


def digits():
    modules = []
    for name, layer in adapted().named_modules():
        if isinstance(layer, LoraLayer):
            parts = name.split(".")
            block = parts[0] if parts[0] == "mid_block" else ".".join(parts[:2])
            delta = layer.double().get_delta_weight("default")
            modules.append((block, layer.r["default"], delta))
    return totals(modules)


def mixed():
    tensors, modules = {}, []
    for key, (out, rank, inner, alpha, block) in MIXED.items():
        kernel = tuple(1 for _ in inner[1:])
        down = formula.weight(f"{key}.down", (rank, *inner))
        up = formula.weight(f"{key}.up", (out, rank, *kernel))
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(alpha)}
        delta = up.double().flatten(1) @ down.double().flatten(1) * (alpha / rank)
        modules.append((block, rank, delta))
    tensors = {key: value.float().contiguous() for key, value in tensors.items()}
    save_file(tensors, FIXTURES / "lora_norms.safetensors")
    return totals(modules)


if __name__ == "__main__":
    text = json.dumps({"digits": digits(), "mixed": mixed()}, indent=1)
    (FIXTURES / "lora_norms.json").write_text(text + "\n")
