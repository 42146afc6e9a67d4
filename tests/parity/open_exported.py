"""Opens with diffusers what the tests of nodes/diffusion wrote, and compares: run by hand, after
`cargo test -p hyper-flow-diffusion --test parity export`.

For each model: UNet2DConditionModel.from_pretrained on the folder, its output against ours; then the LoRA in kohya and
in peft form through the pipeline's own converter, with no unexpected and no missing key, its output against ours; then one
of clipped ranks as `Export` writes it, in both forms.

With --readme: runs the snippets of README.md and pipelines/README.md in a folder where their commands were run (`out`,
`out-teacher`), and compares what the LoRAs add to each weight with alpha/rank·up·down of the files that `hyper-flow export` wrote.

Run: python tests/parity/open_exported.py [target/tmp/exported]
     python tests/parity/open_exported.py --readme FOLDER
Last result (torch 2.11, diffusers 0.42, peft 0.21), relative to the largest magnitude:
    digits: base 0.0e+00, kohya 1.2e-06, peft 1.2e-06, clipped_kohya 0.0e+00, clipped_peft 0.0e+00
    sd15: base 0.0e+00, kohya 4.5e-06, peft 4.5e-06, clipped_kohya 0.0e+00, clipped_peft 0.0e+00
    sdxl: base 0.0e+00, kohya 1.1e-05, peft 1.1e-05, clipped_kohya 0.0e+00, clipped_peft 0.0e+00
    README: 79 modules, 0.0e+00 (129 with a LoRA of rank 48 on levels of 16, 32 and 64 channels; 3.3e-01 with the ranks as they were)
    two LoRAs: 79 modules, 0.0e+00
(the same libtorch on both sides: the base is equal to the bit; peft scales after the second half, we before it)
"""

import os
import pathlib
import re
import sys

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from diffusers.utils import logging
from safetensors.torch import load_file

from unet import inputs

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(unet):
    size = unet.config.sample_size
    arguments = inputs(unet, (size, size))
    arguments = {key: single(value) for key, value in arguments.items()}
    with torch.no_grad():
        return unet(**arguments).sample


def single(value):
    if isinstance(value, dict):
        return {key: single(inner) for key, inner in value.items()}
    return value.float() if value.is_floating_point() else value


def difference(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def open_lora(folder, name):
    """The pipeline's own way, which warns of unexpected and missing keys: here, a warning is an error."""
    unet = UNet2DConditionModel.from_pretrained(folder)
    loader = StableDiffusionXLLoraLoaderMixin if folder.name == "sdxl" else StableDiffusionLoraLoaderMixin
    state, alphas, metadata = loader.lora_state_dict(
        folder / f"{name}.safetensors", unet_config=unet.config, return_lora_metadata=True
    )
    warnings = []
    logging.get_logger("diffusers.loaders.peft").warning = warnings.append
    loader.load_lora_into_unet(state, network_alphas=alphas, unet=unet, metadata=metadata)
    assert not warnings, warnings
    return unet


def snippet(document, call):
    """The block of Python in a document that makes this call."""
    text = (ROOT / document).read_text()
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if call in block)


def added(state, path):
    """alpha/rank·up·down of a module, taken out of the file's tensors."""
    key = "lora_unet_" + path.replace(".", "_")
    down, up, alpha = (state.pop(f"{key}.{part}").double() for part in ("lora_down.weight", "lora_up.weight", "alpha"))
    return up.flatten(1) @ down.flatten(1) * (alpha / len(down))


def run_snippet(name, code, weights):
    """How far what the snippet's UNet adds is from what the files say, relative to each ΔW, at worst."""
    names = {}
    exec(code, names)  # noqa: S102: it is what users are told to run
    states = {lora: load_file(f"out/{lora}.safetensors") for lora in weights}
    worst, modules = 0.0, {path: m for path, m in names["unet"].named_modules() if hasattr(m, "lora_A")}
    for path, module in modules.items():
        expected = sum(weight * added(states[lora], path) for lora, weight in weights.items())
        found = sum(module.double().get_delta_weight(adapter) for adapter in module.active_adapters).flatten(1)
        worst = max(worst, ((found - expected).norm() / expected.norm()).item())
    assert not any(states.values()), [list(state)[:3] for state in states.values()]
    print(f"{name}: {len(modules)} modules, {worst:.1e}")


def run_readme(folder):
    os.chdir(folder)
    run_snippet("README", snippet("README.md", "load_lora_into_unet"), {"unified": 1.0})
    run_snippet("two LoRAs", snippet("pipelines/README.md", "set_adapters"), {"style": 0.8, "unified": 1.0})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--readme"]:
        sys.exit(run_readme(sys.argv[2]))
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/tmp/exported")
    for folder in sorted(root.iterdir()):
        ours = load_file(folder / "outputs.safetensors")
        report = [f"base {difference(ours['base'], run(UNet2DConditionModel.from_pretrained(folder))):.1e}"]
        for name in ("kohya", "peft"):
            report.append(f"{name} {difference(ours['lora'], run(open_lora(folder, name))):.1e}")
        for name in ("clipped_kohya", "clipped_peft"):
            report.append(f"{name} {difference(ours['clipped'], run(open_lora(folder, name))):.1e}")
        print(f"{folder.name}: {', '.join(report)}")
