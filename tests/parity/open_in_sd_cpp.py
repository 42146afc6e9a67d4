"""Opens a LoRA with the keys that `Export` writes in stable-diffusion.cpp (PyPI: stable-diffusion-cpp-python, built from its
source package), on the CPU: run by hand.

It knows the published sizes only, so the model is one of Stable Diffusion 1.5's full size with random weights in fp16, and the
LoRA, of rank 4 on the 278 modules of nodes/diffusion/tests/parity/lora_keys.rs, which holds write_kohya to these keys. Every
tensor must be applied, and the picture be that of the model that has the LoRA in its weights.

Run: python tests/parity/open_in_sd_cpp.py FOLDER  (which takes 4.3 GB)
Last result (stable-diffusion-cpp-python 0.4.7), of 255:
    (834 / 834) LoRA tensors have been applied
    278 modules; from the fused model: max 0, mean 0.000
    the LoRA changes the picture by: max 48, mean 5.127
"""

import contextlib
import gzip
import json
import os
import pathlib
import re
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TARGETS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
    "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
)
RANK = 4


def fixture(name):
    with gzip.open(FIXTURES / f"{name}.json.gz") as file:
        return json.load(file)["sd15"]


def model():
    """A checkpoint in one file, of random weights."""
    torch.manual_seed(0)
    state = {}
    for key, (shape, *_) in fixture("single_file_names").items():
        # The noise schedule it computes itself if the file has none.
        if not key.startswith(("model.", "first_stage_model.", "cond_stage_model.")) or key.endswith("position_ids"):
            continue
        if len(shape) > 1:
            # Small enough that fp16 holds what goes through all of them.
            weight = torch.randn(shape) * 0.3 / np.prod(shape[1:]) ** 0.5
        else:
            weight = torch.ones(shape) if key.endswith("weight") else torch.zeros(shape)
        state[key] = weight.half()
    return state


def lora():
    """{key: tensor}, and {key of a weight in the checkpoint: ΔW}"""
    state, added = {}, {}
    for path, (ldm, shape) in fixture("lora_keys")["modules"].items():
        if "blocks" not in path and "mid_block" not in path or not path.endswith(TARGETS):
            continue
        name = "lora_unet_" + path.replace(".", "_")
        down = torch.randn([RANK, *shape[1:]]) / np.prod(shape[1:]) ** 0.5
        up = torch.randn([shape[0], RANK, *[1] * (len(shape) - 2)]) * 0.5
        state |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(float(RANK))}
        added[f"model.diffusion_model.{ldm}.weight"] = (up.flatten(1) @ down.flatten(1)).reshape(shape)
    return state, added


@contextlib.contextmanager
def said():
    """What is written to the process' own output meanwhile, as a list of one text."""
    with tempfile.TemporaryFile() as file:
        kept, text = [os.dup(1), os.dup(2)], []
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield text
        finally:
            for number, own in zip((1, 2), kept):
                os.dup2(own, number)
            file.seek(0)
            text.append(file.read().decode(errors="replace"))


def draw(checkpoint, prompt, folder):
    from stable_diffusion_cpp import StableDiffusion

    with said() as text:
        drawer = StableDiffusion(model_path=str(checkpoint), lora_model_dir=str(folder), n_threads=2, vae_decode_only=True)
        picture = drawer.generate_image(prompt=prompt, width=64, height=64, sample_steps=2, cfg_scale=1.0, seed=1)[0]
    return np.asarray(picture.convert("RGB")).astype(int), text[0]


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    plain = model()
    tensors, changes = lora()
    save_file(tensors, folder / "lora.safetensors")
    save_file(plain, folder / "plain.safetensors")
    fused = {key: (value.float() + changes[key]).half() if key in changes else value for key, value in plain.items()}
    save_file(fused, folder / "fused.safetensors")
    del plain, fused
    base, _ = draw(folder / "plain.safetensors", "a fox", folder)
    with_lora, text = draw(folder / "plain.safetensors", "a fox<lora:lora:1>", folder)
    expected, _ = draw(folder / "fused.safetensors", "a fox", folder)
    print(re.findall(r".*lora.*tensors.*", text, re.I)[-3:])
    print(f"{len(changes)} modules; from the fused model: max {abs(with_lora - expected).max()}, mean {abs(with_lora - expected).mean():.3f}")
    assert expected.std() > 1, "a picture of nothing"
    print(f"the LoRA changes the picture by: max {abs(base - expected).max()}, mean {abs(base - expected).mean():.3f}")
