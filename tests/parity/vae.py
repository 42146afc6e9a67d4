"""Makes fixtures/vae_<name>.json (config and every key with its shape), fixtures/vae_<name>.safetensors and
fixtures/vae_blocks.safetensors, on the formula's weights and inputs ("pictures", "z", "noise"):

- moments, decoded: of two pictures or latents of which the sides differ and are no multiples of two
- latents, pictures: scaled for the UNet and back, as diffusers' pipelines do it (StableDiffusionXL's where the
  configuration has latents_mean, StableDiffusion3's where it has shift_factor)
- moments_grad, decoded_grad: the gradient of (moments or decoded * formula("loss")).sum() by the input
- moments_tiled, decoded_tiled: of a larger picture, in tiles
- in vae_blocks: the output of each kind of block, by its path

Slices are checked here to give the same as the whole batch, so they have no tensors of their own. Python computes in
float64.

Run: python tests/parity/vae.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import json
import pathlib

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

import formula
from vae_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
# Height and width of latents, of pictures that are no multiple of a latent's, and of what is done in tiles (in latents).
LATENT, PICTURE, TILED = (4, 3), (27, 34), {"sd15": (5, 7), "sdxl": (4, 5), "variant": (11, 15)}
BLOCKS = {
    "sd15": [
        "encoder.down_blocks.0", "encoder.down_blocks.1", "encoder.down_blocks.3", "encoder.mid_block",
        "encoder.mid_block.attentions.0", "decoder.up_blocks.0", "decoder.up_blocks.2", "decoder.up_blocks.3",
    ],
    "variant": ["encoder.down_blocks.0", "decoder.mid_block", "decoder.up_blocks.1"],
}


def picture(vae, size):
    return formula.input("pictures", (2, vae.config.in_channels, *size)).double()


def latent(vae, size, name="z"):
    return formula.input(name, (2, vae.config.latent_channels, *size)).double()


def scaling(vae):
    """(to the UNet, back)"""
    config = vae.config
    if config.latents_mean is not None:
        mean, std = [torch.tensor(v).double().view(1, -1, 1, 1) for v in (config.latents_mean, config.latents_std)]
        return lambda z: (z - mean) * config.scaling_factor / std, lambda x: x * std / config.scaling_factor + mean
    shift = config.shift_factor or 0.0
    return lambda z: (z - shift) * config.scaling_factor, lambda x: x / config.scaling_factor + shift


def with_gradient(results, name, run, argument):
    argument = argument.clone().requires_grad_()
    output = run(argument)
    (output * formula.input("loss", output.shape)).sum().backward()
    results[name], results[f"{name}_grad"] = output, argument.grad


@torch.no_grad()
def scaled_and_tiled(name, vae, results):
    posterior = vae.encode(picture(vae, PICTURE)).latent_dist
    noise = latent(vae, posterior.mean.shape[2:], "noise")
    forth, back = scaling(vae)
    results["latents"] = forth(posterior.mean + posterior.std * noise)
    results["pictures"] = vae.decode(back(latent(vae, LATENT))).sample
    vae.enable_slicing()
    assert torch.allclose(vae.encode(picture(vae, PICTURE)).latent_dist.parameters, results["moments"])
    assert torch.allclose(vae.decode(latent(vae, LATENT)).sample, results["decoded"])
    vae.disable_slicing()
    vae.enable_tiling()
    size, factor = TILED[name], 2 ** (len(vae.config.block_out_channels) - 1)
    large = picture(vae, [side * factor for side in size])[:1]
    results["moments_tiled"] = vae.encode(large).latent_dist.parameters
    results["decoded_tiled"] = vae.decode(latent(vae, size)[:1]).sample
    vae.disable_tiling()


def write(name, results):
    results = {key: value.detach().float().contiguous() for key, value in results.items()}
    save_file(results, FIXTURES / f"vae_{name}.safetensors")


def make(name, config):
    vae = AutoencoderKL(**config).eval().requires_grad_(False)
    keys = {key: list(tensor.shape) for key, tensor in sorted(vae.state_dict().items())}
    formula.fill(vae)
    vae.double()
    results = {}
    with_gradient(results, "moments", lambda x: vae.encode(x).latent_dist.parameters, picture(vae, PICTURE))
    with_gradient(results, "decoded", lambda z: vae.decode(z).sample, latent(vae, LATENT))
    scaled_and_tiled(name, vae, results)
    write(name, results)
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in keys.items())
    text = f'{{"config": {vae.to_json_string().strip()},\n"keys": {{\n{lines}\n}}}}\n'
    (FIXTURES / f"vae_{name}.json").write_text(text)
    return vae


def block_input(module):
    norm = module.group_norm if hasattr(module, "group_norm") else module.resnets[0].norm1
    return formula.input("x", (2, norm.num_channels, 5, 4)).double()


if __name__ == "__main__":
    blocks = {}
    for name, config in CONFIGS.items():
        vae = make(name, config)
        modules = {path: vae.get_submodule(path) for path in BLOCKS.get(name, [])}
        blocks.update({f"{name}.{path}": module(block_input(module)) for path, module in modules.items()})
    write("blocks", blocks)
