"""Makes fixtures/full_size_keys.json.gz: name and shape of every tensor of the full-size models as diffusers and
transformers build them from fixtures/full_size_configs.json, without memory for the tensors (meta device).

The configurations are the published ones, field for field: of runwayml/stable-diffusion-v1-5,
stabilityai/stable-diffusion-2-1 and stabilityai/stable-diffusion-xl-base-1.0; of openai/clip-vit-base-patch32,
openai/clip-vit-large-patch14 and yuvalkirstain/PickScore_v1, the fields that differ from transformers' defaults.

transformers 5 leaves the prefix text_model. out of a bare CLIPTextModel's names; the published files have it, and so do
these lists.

Run: python tests/parity/full_size.py  (torch 2.11, diffusers 0.42, transformers 5.23; on the CPU, in a second)
"""

import gzip
import json
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CLASSES = (AutoencoderKL, UNet2DConditionModel, CLIPModel, CLIPTextModel, CLIPTextModelWithProjection)
CLASSES = {cls.__name__: cls for cls in CLASSES}


def build(config):
    name = config["_class_name"] if "_class_name" in config else config["architectures"][0]
    with torch.device("meta"):
        if "_class_name" in config:
            return CLASSES[name].from_config(config)
        return CLASSES[name]((CLIPConfig if name == "CLIPModel" else CLIPTextConfig)(**config))


def keys(model):
    prefix = "text_model." if isinstance(model, CLIPTextModel) else ""
    named = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name if name.startswith(prefix) else prefix + name: named[name] for name in sorted(named)}


if __name__ == "__main__":
    configs = json.loads((FIXTURES / "full_size_configs.json").read_text())
    lists = {model: {part: keys(build(config)) for part, config in parts.items()} for model, parts in configs.items()}
    for model, parts in lists.items():
        counts = {part: (len(shapes), sum(torch.Size(s).numel() for s in shapes.values())) for part, shapes in parts.items()}
        print(model, counts)
    text = json.dumps(lists, separators=(",", ":"))
    # No time and no name in the header: equal lists give equal bytes.
    with open(FIXTURES / "full_size_keys.json.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(text.encode())
