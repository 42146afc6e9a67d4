"""Makes the LoRA fixtures for the "digits" configuration of unet_configs.py:

lora_kohya.safetensors  written by diffusers' convert_state_dict_to_kohya, alpha 3 at rank 2
lora_peft.safetensors   written by diffusers' save_lora_weights, alpha 3 at rank 2, but 5 (and rank 3) for to_q
                        (both: factors by the formula, keys "lora.<module>.down" and ".up")
lora_merge.safetensors  per module: the exact sum 0.75*A - 0.5*B of two LoRAs (formula keys "a.…" and "b.…") as
                        "<module>.sum", its best rank-2 approximation as "<module>.truncated" (SVD in float64), and
                        [relative error] as "<module>.error"; "total" over all modules

Run: python tests/parity/lora.py  (torch 2.11, diffusers 0.42, peft 0.21)
"""

import pathlib

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

import formula
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TARGETS = ["to_q", "conv1", "proj_in", "ff.net.2", "downsamplers.0.conv", "conv_shortcut"]
WEIGHTS = {"a": 0.75, "b": -0.5}
RANKS = {"a": 2, "b": 3}
ALPHAS = {"a": 3.0, "b": 1.5}
TRUNCATED = 2


def adapted(**config):
    unet = UNet2DConditionModel(**CONFIGS["digits"])
    unet.add_adapter(LoraConfig(r=2, lora_alpha=3.0, target_modules=TARGETS, init_lora_weights=False, **config))
    for name, parameter in unet.named_parameters():
        if ".lora_" in name:
            name = name.replace(".lora_A.default.weight", ".down").replace(".lora_B.default.weight", ".up")
            parameter.data = formula.weight(f"lora.{name}", tuple(parameter.shape))
    return unet


def make_kohya():
    unet = adapted()
    state = {f"unet.{key}": value for key, value in get_peft_model_state_dict(unet).items()}
    kohya = convert_state_dict_to_kohya(state)
    kohya = {key.replace("lora_unet.", "lora_unet_"): value for key, value in kohya.items()}
    for key in kohya:
        if key.endswith(".alpha"):
            kohya[key] = torch.tensor(3.0)
    save_file({key: value.contiguous() for key, value in kohya.items()}, FIXTURES / "lora_kohya.safetensors")


def make_peft():
    unet = adapted(rank_pattern={"to_q": 3}, alpha_pattern={"to_q": 5.0})
    StableDiffusionPipeline.save_lora_weights(
        FIXTURES,
        unet_lora_layers=get_peft_model_state_dict(unet),
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
        weight_name="lora_peft.safetensors",
    )


def delta(prefix, module, shape):
    rank = RANKS[prefix]
    down = formula.weight(f"{prefix}.{module}.down", (rank, *shape[1:])).double().flatten(1)
    up = formula.weight(f"{prefix}.{module}.up", (shape[0], rank, *[1] * (len(shape) - 2))).double().flatten(1)
    return up @ down * (ALPHAS[prefix] / rank)


def make_merge():
    shapes = {
        "down_blocks.0.resnets.0.conv1": (16, 16, 3, 3),
        "mid_block.attentions.0.proj_in": (32, 32, 1, 1),
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_q": (32, 32),
        "mid_block.resnets.0.time_emb_proj": (32, 64),
    }
    results, lost, whole = {}, 0.0, 0.0
    for module, shape in shapes.items():
        total = sum(weight * delta(prefix, module, shape) for prefix, weight in WEIGHTS.items())
        u, s, vh = torch.linalg.svd(total, full_matrices=False)
        truncated = u[:, :TRUNCATED] * s[:TRUNCATED] @ vh[:TRUNCATED]
        results[f"{module}.sum"] = total.reshape(shape)
        results[f"{module}.truncated"] = truncated.reshape(shape)
        results[f"{module}.error"] = ((total - truncated).norm() / total.norm()).reshape(1)
        lost += (total - truncated).norm() ** 2
        whole += total.norm() ** 2
    results["total"] = (lost / whole).sqrt().reshape(1)
    save_file({key: value.float().contiguous() for key, value in results.items()}, FIXTURES / "lora_merge.safetensors")


if __name__ == "__main__":
    make_kohya()
    make_peft()
    make_merge()
