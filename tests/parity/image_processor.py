"""Makes fixtures/image_processor.json (sizes) and fixtures/image_processor.safetensors: what torchvision makes of the
formula's pictures (bicubic with antialias, rows first, then columns, each cut off at black and white as in bytes; centre
crop, CLIP's mean and deviation), the gradient of a scalar loss, and what transformers' CLIPImageProcessor makes of a
configuration's sizes. The two passes are held to that processor, which rounds to bytes besides, on eight kinds of picture.

Run: python tests/parity/image_processor.py  (torch 2.11, torchvision 0.26, transformers 5.23; on the CPU)
"""

import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2 import InterpolationMode
from transformers import CLIPImageProcessor

import formula
from kinds_of_pictures import KINDS, picture

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


def resized(x, edge):
    height, width = x.shape[2:]
    scaled = [edge * height // min(height, width), edge * width // min(height, width)]
    for size in ([height, scaled[1]], scaled):
        if list(x.shape[2:]) != size:
            x = functional.resize(x, size, InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
    return x


def processed(x, edge, crop):
    return functional.normalize(functional.center_crop(resized((x + 1) / 2, edge), [crop]), MEAN, STD)


def check():
    """What the processor makes of bytes is at most one of 255 off."""
    processor = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    for kind in KINDS:
        whole = picture(kind, 90, 70)
        x = torch.from_numpy(np.array(whole)).permute(2, 0, 1)[None] / 127.5 - 1
        apart = processor(whole, return_tensors="pt")["pixel_values"] - processed(x, 28, 28)
        assert (apart.abs()[0] * torch.tensor(STD)[:, None, None] * 255).max() < 1.02, kind


def main():
    check()
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
