"""Makes fixtures/clip.json (configurations, and every key with its shape) and fixtures/clip.safetensors: outputs of
transformers' CLIP classes on the formula's weights and inputs, and the gradient of a scalar loss.

Python computes in float64, so that all of the difference is Rust's float32. `logit_scale` is 1.

Run: python tests/parity/clip.py  (torch 2.11, transformers 5.23; on the CPU)
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TEXT = dict(
    vocab_size=60, hidden_size=16, intermediate_size=24, projection_dim=12, num_hidden_layers=3, num_attention_heads=2,
    max_position_embeddings=10, bos_token_id=50, eos_token_id=51, pad_token_id=51,
)
VISION = dict(
    hidden_size=20, intermediate_size=28, projection_dim=12, num_hidden_layers=2, num_attention_heads=4, num_channels=1,
    image_size=8, patch_size=2,
)
# The last has pads above the end token, which tell the two rules of pooling apart.
IDS = torch.tensor([[50, 3, 7, 51, 51, 51, 51, 51], [50, 8, 9, 1, 2, 3, 4, 51], [50, 4, 51, 59, 59, 59, 59, 59]])


def filled(model):
    """The formula under the keys of published files: with `text_model.` also in a bare text encoder."""
    prefix = "text_model." if type(model) is CLIPTextModel else ""
    model = model.double().eval()
    formula.fill(model, prefix)
    if hasattr(model, "logit_scale"):
        torch.nn.init.ones_(model.logit_scale)
    return model


def keys(model):
    prefix = "text_model." if type(model) is CLIPTextModel else ""
    return {prefix + key: list(tensor.shape) for key, tensor in model.state_dict().items()}


def text(config, tensors, name):
    model = filled(CLIPTextModelWithProjection(CLIPTextConfig(**config)))
    output = model(IDS, output_hidden_states=True)
    tensors[f"{name}.last_hidden_state"] = output.last_hidden_state
    tensors[f"{name}.hidden_states"] = torch.stack(output.hidden_states)
    tensors[f"{name}.text_embeds"] = output.text_embeds
    tensors[f"{name}.pooled"] = model.text_model(IDS).pooler_output
    return model


def main():
    tensors = {}
    legacy, gelu = TEXT | dict(eos_token_id=2), TEXT | dict(hidden_act="gelu", num_hidden_layers=1)
    pixels = formula.input("pixels", (3, 1, 8, 8)).double()

    models = {"text_projection": text(TEXT, tensors, "text")}
    text(legacy, tensors, "text_legacy")
    text(gelu, tensors, "text_gelu")
    models["text"] = filled(CLIPTextModel(CLIPTextConfig(**TEXT)))
    tensors["text_bare.last_hidden_state"] = models["text"](IDS).last_hidden_state

    models["vision"] = filled(CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)))
    output = models["vision"](pixels, output_hidden_states=True)
    tensors |= {
        "vision.last_hidden_state": output.last_hidden_state,
        "vision.hidden_states": torch.stack(output.hidden_states),
        "vision.image_embeds": output.image_embeds,
    }

    both = CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=12)
    models["clip"] = clip = filled(CLIPModel(both))
    output = clip(input_ids=IDS, pixel_values=pixels)
    tensors |= {f"clip.{k}": output[k] for k in ("logits_per_text", "text_embeds", "image_embeds")}
    loss = (output.logits_per_text * formula.input("loss", (3, 3)).double()).sum()
    loss.backward()
    for key in (
        "logit_scale",
        "text_model.encoder.layers.0.self_attn.q_proj.weight",
        "text_model.embeddings.position_embedding.weight",
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model.encoder.layers.1.mlp.fc1.weight",
        "visual_projection.weight",
    ):
        tensors[f"clip.grad.{key}"] = clip.get_parameter(key).grad

    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, FIXTURES / "clip.safetensors")
    texts = dict(text=TEXT, text_legacy=legacy, text_gelu=gelu)
    data = dict(
        texts=texts, vision=VISION, clip=json.loads(both.to_json_string(use_diff=False)), ids=IDS.tolist(),
        keys={name: keys(model) for name, model in models.items()},
    )
    (FIXTURES / "clip.json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
