"""Makes fixtures/scores.json and fixtures/scores.safetensors: CLIP score, PickScore and the LAION aesthetic predictor of
transformers' CLIPModel in the shape of PickScore's CLIP-H (exact GELU, the old end token 2, a joint space of another
width than the towers'), on the formula's weights and pictures that have to be resized, and gradients with respect to
the pictures.

Python computes in float64, so that all of the difference is Rust's float32. `logit_scale` is 1.

Run: python tests/parity/scores.py  (torch 2.11, torchvision 0.26, transformers 5.23; on the CPU)
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

import formula
import image_processor

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TEXT = dict(
    hidden_size=16, intermediate_size=24, projection_dim=12, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=24, hidden_act="gelu", bos_token_id=0, eos_token_id=2,
)
VISION = dict(
    hidden_size=20, intermediate_size=28, projection_dim=12, num_hidden_layers=2, num_attention_heads=4, image_size=28,
    patch_size=14, hidden_act="gelu",
)
CAPTIONS = ["a handwritten digit seven", "A photo of it, hand-written!", ""]
WIDTHS = {0: 1024, 2: 128, 4: 64, 6: 16, 7: 1}


def head(features):
    """The published predictor: linear layers at these places of a Sequential, dropout between them, no activation."""
    layers, width = torch.nn.Sequential(), features
    for place in range(8):
        layers.append(torch.nn.Linear(width, WIDTHS[place]) if place in WIDTHS else torch.nn.Dropout())
        width = WIDTHS.get(place, width)
    model = torch.nn.ModuleDict({"layers": layers}).double().eval()
    formula.fill(model)
    return model["layers"]


def main():
    tokenizer = CLIPTokenizer.from_pretrained(FIXTURES / "tokenizer")
    config = CLIPConfig(text_config=TEXT | dict(vocab_size=len(tokenizer)), vision_config=VISION, projection_dim=12)
    model = CLIPModel(config).double().eval()
    formula.fill(model)
    torch.nn.init.ones_(model.logit_scale)
    ids = tokenizer(CAPTIONS, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    texts = model.get_text_features(input_ids=ids).pooler_output
    texts = texts / texts.norm(dim=-1, keepdim=True)

    def embeddings(x):
        pixels = image_processor.processed(x, 28, 28)
        embeds = model.get_image_features(pixel_values=pixels).pooler_output
        return embeds / embeds.norm(dim=-1, keepdim=True)

    tensors = {}
    pictures = (formula.input("pictures", (3, 3, 35, 31)).double() / 3.0**0.5).requires_grad_()
    marks = head(12)
    forms = {
        "cosine": lambda: (embeddings(pictures) * texts).sum(-1),
        "aesthetic": lambda: marks(embeddings(pictures)).squeeze(1),
    }
    for name, score in forms.items():
        pictures.grad = None
        tensors[name] = score()
        (tensors[name] * formula.input("loss", (3,)).double()).sum().backward()
        tensors[f"{name}.gradient"] = pictures.grad
    tensors["pick"] = tensors["cosine"] * model.logit_scale.exp()
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, FIXTURES / "scores.safetensors")
    data = dict(clip=json.loads(config.to_json_string(use_diff=False)), captions=CAPTIONS)
    (FIXTURES / "scores.json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
