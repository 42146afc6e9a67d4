"""Opens what Rust wrote with `from_pretrained` of transformers and diffusers, and compares the outputs within 1e-5.

Run: PARITY_OUT=DIR cargo test -p hyper-flow-diffusion --test parity -- --ignored write_folders
     python tests/parity/open_folders.py DIR  (torch 2.11, transformers 5.23, diffusers 0.42)

Last output:
    clip, text_encoder, text_encoder_2, image_encoder, tokenizer, scheduler: open, no key missing or unexpected
    last_hidden_state, text_embeds, image_embeds, logits_per_text: within 1e-5
"""

import pathlib
import sys

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, TCDScheduler
from safetensors.torch import load_file
from transformers import (
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

import formula

OUT = pathlib.Path(sys.argv[1])


def opened(cls, name):
    model, info = cls.from_pretrained(OUT / name, output_loading_info=True)
    problems = {k: v for k, v in info.items() if v}
    assert not problems, (name, problems)
    return model.eval()


def close(name, ours, theirs):
    difference = (ours - theirs).abs().max() / theirs.abs().max()
    assert ours.shape == theirs.shape and difference < 1e-5, (name, difference)


@torch.no_grad()
def main():
    expected = load_file(OUT / "outputs.safetensors")
    for folder in ("tokenizer", "clip"):
        tokenizer = CLIPTokenizer.from_pretrained(OUT / folder)
        ids = tokenizer(["a handwritten digit seven", ""], padding="max_length", return_tensors="pt").input_ids
        assert torch.equal(ids, expected["ids"]), folder
    pixels = formula.input("pixels", (2, 1, 8, 8))
    text = opened(CLIPTextModelWithProjection, "text_encoder_2")(ids)
    close("last_hidden_state", opened(CLIPTextModel, "text_encoder")(ids)[0], expected["last_hidden_state"])
    close("text_embeds", text.text_embeds, expected["text_embeds"])
    image = opened(CLIPVisionModelWithProjection, "image_encoder")(pixels)
    close("image_embeds", image.image_embeds, expected["image_embeds"])
    joint = opened(CLIPModel, "clip")(input_ids=ids, pixel_values=pixels)
    close("logits_per_text", joint.logits_per_text, expected["logits_per_text"])
    for cls in (DDIMScheduler, TCDScheduler, EulerDiscreteScheduler):
        config = cls.from_pretrained(OUT / "scheduler").config
        assert (config.prediction_type, config.beta_schedule) == ("v_prediction", "scaled_linear")
        assert (config.timestep_spacing, config.beta_end) == ("trailing", 0.012)
    print("clip, text_encoder, text_encoder_2, image_encoder, tokenizer, scheduler: open, no key missing or unexpected")
    print("last_hidden_state, text_embeds, image_embeds, logits_per_text: within 1e-5")


if __name__ == "__main__":
    main()
