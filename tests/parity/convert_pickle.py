"""Converts weights from Python's pickle format (.bin, .pt, .pth, .ckpt) to safetensors, running nothing in the file.

    python3 tests/parity/convert_pickle.py IN OUT

IN may also be the index of several files (pytorch_model.bin.index.json); OUT is one file. Needs torch and safetensors.

A `state_dict` inside is taken out, tensors that share memory are written separately, what is no tensor is left out and
named. Only tensors and plain containers are unpickled (weights_only=True); of the classes that old checkpoints name, those
of pytorch_lightning are replaced by an empty one, and any other is refused.
"""

import json
import os
import pickle
import re
import sys

import torch
from safetensors.torch import save_file


class Nothing:
    """Stands for a class that is named in a file and not wanted."""


def load(path: str):
    known = []
    while True:
        try:
            with torch.serialization.safe_globals(known):
                return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            name = re.search(r"GLOBAL (pytorch_lightning\.\S+)", str(error))
            if not name or any(name[1] == other for _, other in known):
                reason = re.search(r"Unsupported[^\n]*?GLOBAL \S+", str(error))
                sys.exit(f"{path}: refused: {reason[0] if reason else error}")
            known.append((Nothing, name[1]))


def tensors(path: str) -> dict:
    content = load(path)
    while isinstance(content, dict) and "state_dict" in content:
        content = content["state_dict"]
    if not isinstance(content, dict):
        sys.exit(f"{path}: holds no map of tensors but a {type(content).__name__}")
    left_out = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if left_out:
        print(f"{path}: left out, being no tensors: {', '.join(left_out)}", file=sys.stderr)
    # A copy of each, because two names of one memory cannot be written.
    return {str(k): v.detach().clone().contiguous() for k, v in content.items() if isinstance(v, torch.Tensor)}


def main(source: str, target: str) -> None:
    if source.endswith(".json"):
        with open(source) as file:
            shards = sorted(set(json.load(file)["weight_map"].values()))
        files = [os.path.join(os.path.dirname(source), shard) for shard in shards]
    else:
        files = [source]
    everything = {}
    for path in files:
        part = tensors(path)
        twice = everything.keys() & part.keys()
        if twice:
            sys.exit(f"{path}: {', '.join(sorted(twice))} are in another file, too")
        everything.update(part)
    if not everything:
        sys.exit(f"{source}: holds no tensor")
    save_file(everything, target + ".partial", metadata={"format": "pt"})
    os.replace(target + ".partial", target)
    print(f"{target}: {len(everything)} tensors")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
