"""Makes fixtures/optim.safetensors and fixtures/optim.json: 20 steps of torch's AdamW with and without clipping by global
norm, and learning-rate factors, with torch.optim, torch.nn.utils and diffusers.optimization as the reference.

Gradients are the formula's input "grad.<name>.<step>", those of "b" missing in the first three steps. Both sides compute in
float32 in the same order: 1e-6 of the largest value.

Run: python tests/parity/optim.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import json
import pathlib

import torch
from diffusers.optimization import get_scheduler
from safetensors.torch import save_file

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
SHAPES = {"a": (3, 4), "b": (5,)}
CONFIGS = {
    "default": dict(lr=1e-3),
    "strong": dict(lr=0.1, betas=(0.5, 0.9), eps=1e-4, weight_decay=0.3),
    "discriminator": dict(lr=1e-2, betas=(0.0, 0.999), weight_decay=0.0),
    "clipped": dict(lr=1e-2, max_norm=2.0),
}


def train(name, lr, max_norm=None, **arguments):
    parameters = {k: formula.input(f"parameter.{k}", s).requires_grad_() for k, s in SHAPES.items()}
    optimiser = torch.optim.AdamW(parameters.values(), lr=lr, foreach=False, **arguments)
    tensors, norms = {}, []
    for step in range(20):
        for key, parameter in parameters.items():
            missing = key == "b" and step < 3
            parameter.grad = None if missing else formula.input(f"grad.{key}.{step}", parameter.shape)
        if max_norm is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm))
        optimiser.step()
        for key, parameter in parameters.items():
            tensors[f"{name}.{key}.{step}"] = parameter.detach().clone()
    for key, parameter in parameters.items():
        state = optimiser.state[parameter]
        tensors |= {f"{name}.{key}.exp_avg": state["exp_avg"], f"{name}.{key}.exp_avg_sq": state["exp_avg_sq"]}
    if norms:
        tensors[f"{name}.norms"] = torch.stack(norms)
    return tensors


def factors(kind, warmup, steps):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    name = {"constant": "constant_with_warmup"}.get(kind, kind)
    scheduler = get_scheduler(name, optimiser, num_warmup_steps=warmup, num_training_steps=steps)
    rates = []
    for _ in range(steps + 3):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return rates


def main():
    tensors = {}
    for name, config in CONFIGS.items():
        tensors |= train(name, **config)
    save_file(tensors, FIXTURES / "optim.safetensors")
    rates = [
        dict(decay=kind, warmup=warmup, steps=steps, factors=factors(kind, warmup, steps))
        for kind in ("constant", "linear", "cosine")
        for warmup, steps in ((0, 10), (4, 20))
    ]
    (FIXTURES / "optim.json").write_text(json.dumps(rates) + "\n")


if __name__ == "__main__":
    main()
