"""Pictures of eight kinds by closed formulas of whole numbers, which Rust computes too (nodes/src/picture/formula.rs)."""

import numpy as np
from PIL import Image

KINDS = ["edges", "photo", "gradient", "noise", "text", "mask", "tiny", "huge"]


def scatter(x, y, c):
    """A number of 32 bits that follows no pattern."""
    z = (x * 73856093 ^ y * 19349663 ^ c * 83492791) & 0xFFFFFFFF
    z = ((z ^ (z >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    z = ((z ^ (z >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return z ^ (z >> 15)


def waves(v, half):
    """A triangle wave from 0 to `half`."""
    v = v % (2 * half)
    return np.minimum(v, 2 * half - v)


def values(kind: str, width: int, height: int) -> np.ndarray:
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.int64)
    match kind:
        case "edges" | "huge":
            v = ((x + 2 * c) // 5 + y // 7) % 2 * 255
        case "photo" | "tiny":
            v = waves(3 * x + 2 * y + 40 * c, 160) + waves(x * y // 16, 90) + scatter(x, y, c) % 48 + scatter(x // 11, y // 9, c) % 120 - 70
        case "gradient":
            v = x * 255 // max(width - 1, 1) * (c + 1) // 3
        case "noise":
            v = scatter(x, y, c) % 256
        case "text":
            v = np.where((scatter(x // 2, y // 3, 0) % 4 == 0) & (y % 12 < 9), 15, 255)
        case "mask":
            v = np.where(3 * ((2 * x - width) ** 2 * height**2 + (2 * y - height) ** 2 * width**2) < 2 * width**2 * height**2, 255, 0)
    return np.clip(v, 0, 255).astype(np.uint8)


def picture(kind: str, width: int, height: int) -> Image.Image:
    return Image.fromarray(values(kind, width, height))
