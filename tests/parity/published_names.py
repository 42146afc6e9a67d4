"""Makes fixtures/published_names.json.gz: the names that published files have, as public sources tell them.

- single_file: of v1-5-pruned-emaonly (runwayml/stable-diffusion-v1-5) and sd_xl_base_1.0 (stabilityai), the keys that
  modelscope's DiffSynth-Studio reads out of them: its tables for files "from_civitai". It leaves out what it does not
  need: buffers, and of SDXL the layers behind the one whose state is taken.
- folder: of the older folders (stable-diffusion-v1-5, stable-diffusion-2-1), each key of the autoencoder and what
  diffusers, asked here, makes of it when it loads such a file (until 0.18 it named the attention's layers so); and the
  keys of the text encoder, with the buffer that transformers wrote until 4.31. The UNet's names have never changed.

Run: python tests/parity/published_names.py REPO  (diffusers 0.42; REPO is a clone of DiffSynth-Studio)
"""

import ast
import gzip
import json
import pathlib
import subprocess
import sys

import torch

from full_size import FIXTURES, build

# Before its version 2, which has other tables.
COMMIT = "72af7122^"
SINGLE_FILE = {
    "sd15": ["sd_unet", "sd_text_encoder", "sd_vae_encoder", "sd_vae_decoder"],
    "sdxl": ["sdxl_unet", "sdxl_text_encoder", "sd_vae_encoder", "sd_vae_decoder"],
}
PREFIXES = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")
OLD = [(".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")]


def tables(repository, file):
    """The keys of the tables in the functions that are called from_civitai."""
    command = ["git", "-C", repository, "show", f"{COMMIT}:diffsynth/models/{file}.py"]
    tree = ast.parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "from_civitai"]
    names = [key.value for f in functions for node in ast.walk(f) if isinstance(node, ast.Dict) for key in node.keys]
    return [name for name in names if name.startswith(PREFIXES)]


def old(name):
    for new, before in OLD:
        if ".attentions." in name:
            name = name.replace(new, before)
    return name


def autoencoder(config):
    """Each old name, and the name that diffusers gives it."""
    vae, names = build(config), {}
    for name in vae.state_dict():
        loaded = {old(name): torch.empty(0)}
        vae._fix_state_dict_keys_on_load(loaded)
        names[old(name)], = loaded
    assert sorted(names.values()) == sorted(vae.state_dict())
    return names


def text_encoder(config):
    names = [f"text_model.{name}" for name in build(config).state_dict()]
    return sorted([*names, "text_model.embeddings.position_ids"])


if __name__ == "__main__":
    configs = json.loads((FIXTURES / "full_size_configs.json").read_text())
    published = {
        "single_file": {
            model: sorted({name for file in files for name in tables(sys.argv[1], file)})
            for model, files in SINGLE_FILE.items()
        },
        "folder": {
            model: {
                "vae": autoencoder(configs[model]["vae"]),
                "text_encoder": text_encoder(configs[model]["text_encoder"]),
            }
            for model in ("sd15", "sd21")
        },
    }
    print({model: len(names) for model, names in published["single_file"].items()})
    text = json.dumps(published, separators=(",", ":"))
    with open(FIXTURES / "published_names.json.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(text.encode())
