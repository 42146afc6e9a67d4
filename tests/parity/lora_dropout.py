"""Makes fixtures/lora_dropout.safetensors: the "digits" model of unet.py with peft's LoRA under dropout, whose masks are
computed as nodes/diffusion/src/lora/dropout.rs does: the output, and the sketches of the LoRA's gradients.

Run: python tests/parity/lora_dropout.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from peft.tuners.lora.layer import LoraLayer
from safetensors.torch import save_file

import formula
from unet import FIXTURES, add_lora, inputs, sketch
from unet_configs import CONFIGS

P, SEED, PART = 0.25, 7, 1
LOW = 0xFFFFFFFF


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & formula.MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & formula.MASK
    return z ^ (z >> 31)


def bits(seed, purpose, step):
    """The first number of the stream Rng::at(seed, purpose, step)."""
    state = 0xCBF29CE484222325
    for byte in seed.to_bytes(8, "little") + purpose.encode() + step.to_bytes(8, "little"):
        state = ((state ^ byte) * 0x100000001B3) & formula.MASK
    return mix((mix(state) + 0x9E3779B97F4A7C15) & formula.MASK)


class Masked(torch.nn.Module):
    """Stands where peft has its dropout."""

    def __init__(self, path):
        super().__init__()
        self.keys = bits(SEED, path, 0)

    def forward(self, x):
        n = np.arange(x.numel(), dtype=np.uint64) + np.uint64(PART * x.numel() + (self.keys >> 32))
        n &= np.uint64(LOW)
        n = ((n ^ (n >> np.uint64(16))) * np.uint64(0x21F0AAAD)) & np.uint64(LOW)
        n ^= np.uint64(self.keys & LOW)
        n = ((n ^ (n >> np.uint64(15))) * np.uint64(0x735A2D97)) & np.uint64(LOW)
        n ^= n >> np.uint64(15)
        kept = torch.from_numpy((n >= np.uint64(int(P * 2**32))).reshape(tuple(x.shape)))
        return x * kept / (1 - P)


if __name__ == "__main__":
    unet = UNet2DConditionModel(**CONFIGS["digits"])
    formula.fill(unet)
    unet.double()
    lora = add_lora(unet)
    for name, module in unet.named_modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout["default"] = Masked(name)
    output = unet(**inputs(unet, (8, 8))).sample
    (output * formula.input("loss", output.shape)).sum().backward()
    by_module = sorted(lora, key=lambda name: name.rsplit(".", 1))
    grads = torch.stack([sketch(name, lora[name].grad) for name in by_module])
    results = {"output": output.detach().float().contiguous(), "grads": grads.float()}
    save_file(results, FIXTURES / "lora_dropout.safetensors")
