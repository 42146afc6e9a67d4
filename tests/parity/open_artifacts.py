"""Opens with diffusers and transformers what the worker yields: a `Model` of TrainTeacher piece by piece, a `Lora` of
SegmentDistill (alpha 1, rank 2) and one of LoraMerge by the pipeline's own loader, in which an unexpected or missing key
is an error here. Compares the UNet's outputs with ours, and draws with the pipeline's pieces.

Run: PARITY_OUT=DIR cargo test -p hyper-flow-nodes --test worker -- --ignored write_artifacts
     python tests/parity/open_artifacts.py DIR  (torch 2.11, transformers 5.23, diffusers 0.42, peft 0.21)

Last output (relative to the largest magnitude):
    model: 4.9e-07; student: 4.6e-07; merged: 4.3e-07; the LoRA moves the output by 2.7e-01
    tokenizer, scheduler, text_encoder, unet: open; 4 steps at [999, 749, 499, 249]
    StableDiffusionPipeline: opens without a VAE
"""

import pathlib
import sys

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils import logging
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

OUT = pathlib.Path(sys.argv[1])
MODEL = OUT / "model"


def difference(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def opened(cls, name):
    model, info = cls.from_pretrained(MODEL, subfolder=name, output_loading_info=True)
    problems = {k: v for k, v in info.items() if v}
    assert not problems, (name, problems)
    return model.eval()


def with_lora(name):
    """The pipeline's own way, which warns of unexpected and missing keys: here, a warning is an error."""
    unet = opened(UNet2DConditionModel, "unet")
    state, alphas, metadata = StableDiffusionLoraLoaderMixin.lora_state_dict(
        OUT / name / "lora.safetensors", unet_config=unet.config, return_lora_metadata=True
    )
    warnings = []
    logging.get_logger("diffusers.loaders.peft").warning = warnings.append
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(state, network_alphas=alphas, unet=unet, metadata=metadata)
    assert not warnings, warnings
    return unet


@torch.no_grad()
def main():
    expected = load_file(OUT / "outputs.safetensors")
    arguments = dict(
        sample=expected["sample"], timestep=torch.tensor([999, 20]), encoder_hidden_states=expected["text"]
    )
    for name in ("model", "student", "merged"):
        unet = opened(UNet2DConditionModel, "unet") if name == "model" else with_lora(name)
        print(f"{name}: {difference(expected[name], unet(**arguments).sample):.1e}", end="; ")
    print(f"the LoRA moves the output by {difference(expected['student'], expected['model']):.1e}")

    tokenizer = CLIPTokenizer.from_pretrained(MODEL, subfolder="tokenizer")
    scheduler = DDIMScheduler.from_pretrained(MODEL, subfolder="scheduler")
    text_encoder, unet = opened(CLIPTextModel, "text_encoder"), opened(UNet2DConditionModel, "unet")
    ids = tokenizer("a handwritten digit seven", padding="max_length", return_tensors="pt").input_ids
    text = text_encoder(ids)[0]
    scheduler.set_timesteps(4)
    x = torch.randn(1, 1, 8, 8, generator=torch.manual_seed(0))
    for t in scheduler.timesteps:
        x = scheduler.step(unet(x, t, text).sample, t, x).prev_sample
    assert x.isfinite().all()
    print(f"tokenizer, scheduler, text_encoder, unet: open; 4 steps at {scheduler.timesteps.tolist()}")

    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, vae=None, safety_checker=None, feature_extractor=None)
    assert pipeline.vae is None and pipeline.scheduler.config.prediction_type == "v_prediction"
    print("StableDiffusionPipeline: opens without a VAE")


if __name__ == "__main__":
    main()
