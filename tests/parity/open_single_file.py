"""A tiny checkpoint in one file, of each structure: the folder that `Diffusers` makes of it, opened by diffusers, against
`from_single_file` of the same file. Every tensor must be the same, and the pictures drawn from the same noise.

Run, where the worker finds its libtorch: python tests/parity/open_single_file.py target/debug/hyper-flow-worker

Last result (torch 2.11, diffusers 0.42, transformers 5.23):
    sd15: 970 tensors equal, pictures differ by 0.0
    sd21: 970 tensors equal, pictures differ by 0.0
    sdxl: 941 tensors equal, pictures differ by 0.0
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTokenizer

import formula
import ldm_keys
import single_file

TOKENIZER = pathlib.Path(__file__).parent / "fixtures" / "tokenizer"
SCHEDULER = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)


def checkpoint(family, path):
    keys = ldm_keys.checkpoint(family, ldm_keys.TINY[family])
    tensors = {key: formula.weight(key, shape) for key, shape in keys.items()}
    save_file({k: t.long() if k.endswith("position_ids") else t for k, t in tensors.items()}, path)


def config(family, folder):
    """A diffusers folder without weights."""
    models = single_file.build(dict(single_file.TINY[family], vae=single_file.TINY_VAE))
    for name, model in models.items():
        save = getattr(model.config, "save_pretrained", None) or model.save_config
        save(folder / name)
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER, model_max_length=16)
    names = ["tokenizer", "tokenizer_2"][: 2 if family == "sdxl" else 1]
    for name in names:
        tokenizer.save_pretrained(folder / name)
    DDIMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    index = {name: ["transformers" if "text" in name else "diffusers", type(m).__name__] for name, m in models.items()}
    index.update({name: ["transformers", "CLIPTokenizer"] for name in names}, scheduler=["diffusers", "DDIMScheduler"])
    index.update({name: [None, None] for name in ("feature_extractor", "image_encoder")})
    if family != "sdxl":
        index.update(safety_checker=[None, None], requires_safety_checker=False)
    index["_class_name"] = "StableDiffusionXLPipeline" if family == "sdxl" else "StableDiffusionPipeline"
    (folder / "model_index.json").write_text(json.dumps(index))


def imported(worker, folder):
    files = {"path": str(folder / "model.safetensors"), "config": str(folder / "config")}
    places = {name: str(folder / name) for name in ("output", "scratch", "log")}
    for place in places.values():
        pathlib.Path(place).mkdir()
    job = dict(
        places, protocol=1, kind={"Diffusers": {"path": "path", "config": "config"}}, inputs={}, files=files, device="Cpu",
        threads=1, seed=7, sample_every=0, checkpoint_seconds=1e9,
    )
    (folder / "job.json").write_text(json.dumps(job))
    subprocess.run([worker, "run", folder / "job.json"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return folder / "output"


def draw(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return pipeline("a red fox", num_inference_steps=2, latents=noise, height=64, width=64, output_type="np").images


def compare(worker, family, folder):
    checkpoint(family, folder / "model.safetensors")
    config(family, folder / "config")
    pipeline = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    ours = pipeline.from_pretrained(imported(worker, folder))
    theirs = pipeline.from_single_file(
        str(folder / "model.safetensors"), config=str(folder / "config"), local_files_only=True
    )
    count = 0
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if getattr(theirs, name, None) is None:
            continue
        a, b = getattr(ours, name).state_dict(), getattr(theirs, name).state_dict()
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a), (family, name)
        count += len(a)
    print(f"{family}: {count} tensors equal, pictures differ by {np.abs(draw(ours) - draw(theirs)).max()}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    # The fixture's tokenizer has more tokens than the tiny text encoders.
    for part in (part for parts in single_file.TINY.values() for name, part in parts.items() if "text" in name):
        part["vocab_size"] = 600
    for part in (part for parts in ldm_keys.TINY.values() for name, part in parts.items() if "clip" in name):
        part["vocab"] = 600
    # diffusers knows the layer that is not used by its full-size number.
    ignored = single_file_utils.SD_2_TEXT_ENCODER_KEYS_TO_IGNORE
    ignored[:] = [key.replace("resblocks.23.", "resblocks.2.") for key in ignored]
    for family in ldm_keys.TINY:
        with tempfile.TemporaryDirectory() as folder:
            compare(sys.argv[1], family, pathlib.Path(folder))
