"""Writes fixtures/eight_bits.safetensors: all 256 codes of both formats of 8 bits as torch widens them, and a weight with each way
that files name its scale, multiplied as torch multiplies it.

Run with torch 2.11 and safetensors 0.8: python tests/parity/eight_bits.py
"""

import pathlib

import torch
from safetensors.torch import save_file

FORMATS = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
CODES = torch.arange(256).to(torch.uint8)


def scaled(name, format, scale, spelling):
    """A weight (16, 16) of codes that are numbers, its scale, and what they make."""
    weight = torch.where(CODES.view(format).float().isfinite(), CODES, 0).view(format).reshape(16, 16)
    tensors = {"weight": weight, spelling: scale, "expected": weight.float() * scale.float()}
    return {f"{name}.{part}": tensor for part, tensor in tensors.items()}


def main():
    tensors = {}
    for name, format in FORMATS.items():
        tensors[f"{name}.codes"] = CODES.clone().view(format)
        tensors[f"{name}.values"] = CODES.view(format).float()
    # ComfyUI's marker and its scales of weights and inputs; then the names that compressed-tensors and newer files have.
    tensors["scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    tensors |= scaled("comfy", torch.float8_e4m3fn, torch.tensor(0.0123456789), "scale_weight")
    tensors["comfy.scale_input"] = torch.tensor(1.0)
    tensors |= scaled("other", torch.float8_e4m3fn, torch.tensor([3.0], dtype=torch.bfloat16), "weight_scale")
    tensors["other.input_scale"] = torch.tensor([1.0])
    tensors["other.comfy_quant"] = torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)
    tensors |= scaled("wide", torch.float8_e5m2, torch.tensor(1e-3), "scale_weight")
    save_file(tensors, pathlib.Path(__file__).parent / "fixtures/eight_bits.safetensors")


if __name__ == "__main__":
    main()
