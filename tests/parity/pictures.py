"""Makes fixtures/pictures.safetensors: pictures of any size made squares as the training scripts of diffusers make them,
torchvision's Resize(side, LANCZOS) and CenterCrop(side) on a PIL picture, turned before as its EXIF says
(ImageOps.exif_transpose, as the datasets library does).

A picture is a formula of x, y and channel, which Rust computes too. Both filters are Lanczos with three lobes, PIL's in
fixed point with a rounding between the two directions, ours in float32: 1 of 255 at most. The formula stays away from 0
and 255, beyond which PIL cuts off between the directions too, and ours only at the end.

Run: python tests/parity/pictures.py  (pillow, torch, torchvision, safetensors)
"""

import io
import pathlib

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torchvision.transforms import CenterCrop, Resize
from torchvision.transforms.functional import InterpolationMode

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
ORIENTATION = 0x0112
# width, height, side, EXIF orientation (0 is none)
CASES = [
    (37, 21, 16, 0),
    (21, 50, 16, 0),
    (301, 200, 24, 0),
    (8, 13, 16, 0),
    (16, 16, 16, 0),
    (33, 17, 8, 0),
    (20, 31, 8, 6),
    (31, 20, 8, 3),
    (20, 31, 8, 2),
]


def picture(width: int, height: int) -> Image.Image:
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray((64 + (x * 7 + y * 13 * (c + 1) + x * y // 9) % 128).astype(np.uint8))


def turned(plain: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    plain.save(file, "png", exif=exif)
    return ImageOps.exif_transpose(Image.open(file))


def square(width: int, height: int, side: int, orientation: int) -> torch.Tensor:
    whole = picture(width, height)
    if orientation:
        whole = turned(whole, orientation)
    scaled = Resize(side, InterpolationMode.LANCZOS)(whole)
    return torch.from_numpy(np.array(CenterCrop(side)(scaled))).permute(2, 0, 1).contiguous()


save_file({"-".join(map(str, case)): square(*case) for case in CASES}, FIXTURES / "pictures.safetensors")
