"""Makes fixtures/pictures.safetensors: pictures of any size made squares as the training scripts of diffusers make them,
torchvision's Resize(side, LANCZOS) and CenterCrop(side) on a PIL picture, turned before as its EXIF says
(ImageOps.exif_transpose, as the datasets library does).

The pictures are of eight kinds, by formulas that Rust computes too, most of them with edges from 0 to 255, where a filter
overshoots and PIL cuts off between its two passes.

Run: python tests/parity/pictures.py  (pillow 13.0, torch, torchvision 0.26, safetensors)
"""

import io
import pathlib

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torchvision.transforms import CenterCrop, Resize
from torchvision.transforms.functional import InterpolationMode

from kinds_of_pictures import picture

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
ORIENTATION = 0x0112
# kind, width, height, side, EXIF orientation (0 is none)
CASES = [
    ("edges", 97, 61, 16, 0),
    ("photo", 301, 200, 24, 0),
    ("gradient", 50, 120, 16, 0),
    ("noise", 64, 80, 21, 0),
    ("text", 150, 90, 24, 0),
    ("mask", 99, 120, 24, 0),
    ("tiny", 7, 5, 24, 0),
    ("huge", 613, 407, 9, 0),
    ("text", 17, 29, 24, 0),
    ("edges", 16, 16, 16, 0),
    ("edges", 16, 40, 16, 0),
    ("edges", 33, 17, 8, 0),
    ("photo", 20, 31, 8, 6),
    ("photo", 31, 20, 8, 3),
    ("photo", 20, 31, 8, 2),
]


def turned(plain: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    plain.save(file, "png", exif=exif)
    return ImageOps.exif_transpose(Image.open(file))


def square(kind: str, width: int, height: int, side: int, orientation: int) -> torch.Tensor:
    whole = picture(kind, width, height)
    if orientation:
        whole = turned(whole, orientation)
    scaled = Resize(side, InterpolationMode.LANCZOS)(whole)
    return torch.from_numpy(np.array(CenterCrop(side)(scaled))).permute(2, 0, 1).contiguous()


save_file({"-".join(map(str, case)): square(*case) for case in CASES}, FIXTURES / "pictures.safetensors")
