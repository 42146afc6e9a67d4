"""Makes fixtures/lora_trained: LoRAs of the "digits" configuration of unet_configs.py (weights by the formula), trained
here by peft for a few steps and written in the three ways that people meet, each beside the trained model's output:

pipeline  StableDiffusionPipeline.save_lora_weights; ranks and alphas that differ between modules
model     PeftModel.save_pretrained (adapter_model.safetensors and adapter_config.json); rank-stabilised scale
adapter   unet.save_lora_adapter

outputs.safetensors  the output of each, and that of the model without a LoRA as "base"

Run: python tests/parity/lora_trained.py  (torch 2.11, diffusers 0.42, peft 0.21)
"""

import json
import pathlib
import shutil

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

import formula
from unet import inputs
from unet_configs import CONFIGS

OUT = pathlib.Path(__file__).parent / "fixtures" / "lora_trained"
TARGETS = ["to_q", "proj_in", "mid_block.resnets.0.conv1", "downsamplers.0.conv", "time_emb_proj"]
STEPS = 5


def base():
    unet = UNet2DConditionModel(**CONFIGS["digits"])
    formula.fill(unet)
    return unet.requires_grad_(False).double()


def output(unet):
    return unet(**inputs(unet, (8, 8))).sample


def trained(unet):
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.05)
    for _ in range(STEPS):
        loss = (output(unet) - formula.input("target", (2, 1, 8, 8))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        # As the files hold it.
        for parameter in parameters:
            parameter.copy_(parameter.float())
        return output(unet).float()


def rounded(state):
    return {key: value.float() for key, value in state.items()}


def pipeline():
    unet = base()
    own = dict(rank_pattern={"to_q": 3}, alpha_pattern={"attn2.to_q": 1.5, "proj_in": 4.0})
    unet.add_adapter(LoraConfig(r=2, lora_alpha=5.0, target_modules=TARGETS, **own))
    result = trained(unet)
    StableDiffusionPipeline.save_lora_weights(
        OUT,
        unet_lora_layers=rounded(get_peft_model_state_dict(unet)),
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
        weight_name="pipeline.safetensors",
    )
    return result


def model():
    wrapped = get_peft_model(base(), LoraConfig(r=3, lora_alpha=2.0, use_rslora=True, target_modules=TARGETS))
    result = trained(wrapped.base_model.model)
    folder = OUT / "model"
    wrapped.save_pretrained(folder, state_dict=rounded(wrapped.state_dict()))
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return result


def adapter():
    unet = base()
    unet.add_adapter(LoraConfig(r=4, lora_alpha=1.0, target_modules=TARGETS), "student")
    result = trained(unet)
    unet.float().save_lora_adapter(OUT, adapter_name="student", weight_name="adapter.safetensors")
    return result


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shutil.rmtree(OUT, ignore_errors=True)
    with torch.no_grad():
        outputs = {"base": output(base()).float()}
    outputs |= {make.__name__: make() for make in (pipeline, model, adapter)}
    save_file(outputs, OUT / "outputs.safetensors")
    for name, tensor in outputs.items():
        print(name, (tensor - outputs["base"]).abs().max().item())
