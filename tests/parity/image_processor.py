"""Makes fixtures/image_processor.json (sizes) and fixtures/image_processor.safetensors: what torchvision makes of the
formula's pictures (bicubic with antialias, centre crop, CLIP's mean and deviation), the gradient of a scalar loss, and
what transformers' CLIPImageProcessor makes of a configuration's sizes.

Run: python tests/parity/image_processor.py  (torch 2.11, torchvision 0.26, transformers 5.23; on the CPU)
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2 import InterpolationMode
from transformers import CLIPImageProcessor

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# (height, width, shortest edge, crop): down and up, odd remainders of both parities, no change, a factor above 7.
CASES = [
    (40, 40, 14, 14), (17, 23, 16, 16), (23, 17, 16, 16), (19, 20, 16, 16), (9, 11, 16, 15), (16, 16, 16, 16), (16, 16, 16, 13),
    (64, 37, 20, 17), (7, 31, 8, 8), (120, 150, 16, 16),
]


def pictures(height, width):
    """In [-1, 1]: the formula's input has deviation one and reaches to the root of three."""
    return formula.input(f"pictures.{height}x{width}", (1, 3, height, width)).double() / 3.0**0.5


def processed(x, edge, crop):
    x = functional.resize((x + 1) / 2, [edge], InterpolationMode.BICUBIC, antialias=True)
    return functional.normalize(functional.center_crop(x, [crop]), MEAN, STD)


def main():
    tensors, cases = {}, []
    for i, (height, width, edge, crop) in enumerate(CASES):
        x = pictures(height, width).requires_grad_()
        y = processed(x, edge, crop)
        (y * formula.input(f"loss.{i}", tuple(y.shape)).double()).sum().backward()
        tensors[f"{i}.output"] = y
        if height * width < 600:
            tensors[f"{i}.gradient"] = x.grad
        cases.append(dict(height=height, width=width, shortest_edge=edge, crop_size=crop))
    config = CLIPImageProcessor(size={"shortest_edge": 18}, crop_size={"height": 14, "width": 14}).to_dict()
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, FIXTURES / "image_processor.safetensors")
    (FIXTURES / "image_processor.json").write_text(json.dumps(dict(cases=cases, config=config)) + "\n")


if __name__ == "__main__":
    main()
