"""Makes fixtures/vae_losses.safetensors: what `TrainVae` minimises, on the formula's weights and inputs ("pictures", "noise").

<config>.reconstruction, <config>.kl    the two terms, not weighted; the divergence is diffusers' own
<config>.grads                          sketches of the gradients of reconstruction + 0.5*kl by every weight but the keys' bias, in
                                        order of name

Python computes in float64.

Run: python tests/parity/vae_losses.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import pathlib

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

import formula
from unet import sketch
from vae_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
C = 0.1
SIDE = 16


def losses(vae):
    """One of each pixel's error, one of all of a latent: both over the number of a picture's values."""
    pictures = formula.input("pictures", (2, vae.config.in_channels, SIDE, SIDE)).double()
    posterior = vae.encode(pictures).latent_dist
    noise = formula.input("noise", posterior.mean.shape).double()
    error = vae.decode(posterior.mean + posterior.std * noise).sample - pictures
    values = pictures.numel()
    return ((error**2 + C**2).sqrt() - C).sum() / values, posterior.kl().sum() / values


def main():
    results = {}
    for name in ("sd15", "sdxl"):
        vae = AutoencoderKL(**CONFIGS[name]).double()
        formula.fill(vae)
        reconstruction, kl = losses(vae)
        (reconstruction + 0.5 * kl).backward()
        results[f"{name}.reconstruction"], results[f"{name}.kl"] = reconstruction.reshape(1), kl.reshape(1)
        # Attention does not depend on the keys' bias: its gradient is rounding alone.
        named = sorted((key, p) for key, p in vae.named_parameters() if not key.endswith("to_k.bias"))
        results[f"{name}.grads"] = torch.stack([sketch(key, parameter.grad) for key, parameter in named])
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, FIXTURES / "vae_losses.safetensors")


if __name__ == "__main__":
    main()
