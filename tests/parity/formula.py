"""Weights and inputs by a closed formula that Rust computes too (nodes/diffusion/tests/parity/support.rs), so that
fixtures hold results only.

unit(key, n): n numbers of [-1, 1) on the grid of 2^-23: splitmix64 on a counter started from FNV-1a of the key.
weight(key, shape): 1 + 0.2*unit for a norm's weight, 0.2*unit for other vectors, sqrt(3/fan_in)*unit for the rest.
input(key, shape): sqrt(3)*unit, which has variance one.
"""

import numpy as np
import torch

MASK = (1 << 64) - 1


def unit(key: str, n: int) -> np.ndarray:
    start = 0xCBF29CE484222325
    for byte in key.encode():
        start = ((start ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def scaled(key: str, shape, scale: float, shift: float = 0.0) -> torch.Tensor:
    values = unit(key, int(np.prod(shape))) * scale + shift
    return torch.from_numpy(values.astype(np.float32)).reshape(tuple(shape))


def weight(key: str, shape) -> torch.Tensor:
    if len(shape) == 1:
        return scaled(key, shape, 0.2, 1.0 if key.endswith("weight") else 0.0)
    return scaled(key, shape, (3.0 / np.prod(shape[1:])) ** 0.5)


def input(key: str, shape) -> torch.Tensor:
    return scaled(key, shape, 3.0**0.5)


def fill(module: torch.nn.Module, prefix: str = "") -> None:
    """Sets every parameter by the formula, under its own name."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weight(prefix + name, tuple(parameter.shape)))
