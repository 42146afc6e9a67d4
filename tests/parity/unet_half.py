"""Makes fixtures/unet_half.safetensors: outputs of the models of unet.py computed in bfloat16 and float16 on the CPU, each
as "<config>.<dtype>", and with peft's LoRA, which stays in float32, as "<config>.<dtype>.lora". Weights and inputs are
the formula's, rounded.

Run: python tests/parity/unet_half.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

import formula
from unet import FIXTURES, add_lora, inputs
from unet_configs import CONFIGS


def cast(arguments, dtype):
    """Floating numbers as the model takes them; time ids are whole numbers that a half would round."""
    if isinstance(arguments, dict):
        return {k: v if k == "time_ids" else cast(v, dtype) for k, v in arguments.items()}
    return arguments.to(dtype) if arguments.is_floating_point() else arguments


@torch.no_grad()
def outputs(config, dtype):
    unet = UNet2DConditionModel(**config).eval()
    formula.fill(unet)
    unet.to(dtype)
    arguments = cast(inputs(unet, (16, 16)), dtype)
    plain = unet(**arguments).sample
    for parameter in add_lora(unet).values():
        parameter.data = parameter.data.float()
    return plain, unet(**arguments).sample


if __name__ == "__main__":
    results = {}
    for name in ("sd15", "sd21", "sdxl"):
        for dtype in (torch.bfloat16, torch.float16):
            key = f"{name}.{str(dtype).removeprefix('torch.')}"
            results[key], results[f"{key}.lora"] = (y.float().contiguous() for y in outputs(CONFIGS[name], dtype))
    save_file(results, FIXTURES / "unet_half.safetensors")
