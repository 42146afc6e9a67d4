"""Opens with ComfyUI's own loader, on the CPU, what the tests of nodes/diffusion wrote, and compares: run by hand, after
`cargo test --workspace --test parity export`.

For each model: the LoRA of clipped ranks as `Export` writes it with kohya's keys, of which every key must be loaded; what it
adds to each weight against alpha/rank·up·down of the file.

Run: python tests/parity/open_in_comfyui.py PATH_OF_A_CHECKOUT [target/tmp/exported]
Last result (ComfyUI 0.3.76, torch 2.11), relative to each ΔW, at worst:
    sd15: 278 modules, 9.0e-08
    sdxl: 368 modules, 9.3e-08
"""

import pathlib
import sys

import comfyui
from safetensors.torch import load_file

NAMES = {"down": ".lora_down.weight", "up": ".lora_up.weight", "alpha": ".alpha"}


def expected(state):
    """{name in the file: ΔW as a matrix}"""
    added = {}
    for name in {key.split(".")[0] for key in state}:
        down, up, alpha = (state[name + NAMES[part]].double() for part in ("down", "up", "alpha"))
        added[name] = (up.flatten(1) @ down.flatten(1)) * (alpha / len(down))
    return added


def config(folder):
    """A configuration as diffusers reads it, defaults filled in."""
    from diffusers import UNet2DConditionModel

    return dict(UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder)).config)


def open_lora(folder):
    state, described = load_file(folder / "clipped_kohya.safetensors"), config(folder)
    added, not_loaded = comfyui.deltas(comfyui.patcher(described), comfyui.paths(described), state)
    assert not not_loaded, not_loaded[:3]
    wanted = {name.removeprefix("lora_unet_"): delta for name, delta in expected(state).items()}
    found = {path.replace(".", "_"): delta.double().flatten(1) for path, delta in added.items()}
    assert found.keys() == wanted.keys()
    worst = max((found[path] - wanted[path]).norm() / wanted[path].norm() for path in wanted)
    return len(found), worst.item()


if __name__ == "__main__":
    comfyui.bring(pathlib.Path(sys.argv[1]))
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "target/tmp/exported")
    for name in ("sd15", "sdxl"):
        modules, worst = open_lora(root / name)
        print(f"{name}: {modules} modules, {worst:.1e}")
