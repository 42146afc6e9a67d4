"""Folders of weights as diffusers and transformers write them: shards, variants, pickles.

    python3 tests/parity/weights.py

Weights are those of formula.py, so that Rust knows what it must read.
"""

import json
import os
import shutil

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

import formula

OUT = os.path.join(os.path.dirname(__file__), "fixtures", "weights")


def unet() -> UNet2DConditionModel:
    model = UNet2DConditionModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(4, 4), layers_per_block=1, norm_num_groups=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=4, attention_head_dim=2,
    )
    formula.fill(model)
    return model


def text() -> CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=64, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, projection_dim=4, bos_token_id=62, eos_token_id=63, pad_token_id=63,
    )
    model = CLIPTextModelWithProjection(config)
    formula.fill(model)
    return model


def main() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    for name, model, size in [("unet", unet(), "12KB"), ("text", text(), "2KB")]:
        for folder, variant in [("sharded", None), ("sharded_fp16", "fp16")]:
            half = model.half() if variant else model.float()
            half.save_pretrained(os.path.join(OUT, name, folder), max_shard_size=size, variant=variant)
            model.float()
    model = text()
    model.half().save_pretrained(os.path.join(OUT, "text", "fp16"), variant="fp16")
    # what is refused: a zip, and the older format without one, which is what the names of pickles promise, too
    state = {"state_dict": {"a": torch.zeros(2)}}
    torch.save(state, os.path.join(OUT, "zip.ckpt"))
    torch.save(state, os.path.join(OUT, "old.pt"), _use_new_zipfile_serialization=False)
    for path, _, names in sorted(os.walk(OUT)):
        for name in sorted(names):
            full = os.path.join(path, name)
            if name == "config.json":
                with open(full) as file:
                    config = json.load(file)
                config = {k: v for k, v in config.items() if k not in ("_name_or_path", "dtype", "transformers_version")}
                with open(full, "w") as file:
                    json.dump(config, file, indent=1)
            print(os.path.relpath(full, OUT), os.path.getsize(full))


if __name__ == "__main__":
    main()
