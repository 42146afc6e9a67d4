"""Makes fixtures/unet_<name>.json (config and every key with its shape) and fixtures/unet_<name>.safetensors: the output
of a whole model on the formula's weights and inputs, also at an odd size, and the gradient of a scalar loss with respect
to LoRA weights on all 14 kinds of target module, with peft as the reference.

loss = (output * formula("loss")).sum(). Of each gradient are kept its norm and its products with three vectors of the
formula ("<module>.<down|up>.probe.<i>"), one row of `grads` a tensor, by module and then down before up: a difference
anywhere in a gradient moves its row.

Python computes in float64, so that all of the difference is Rust's float32.

Run: python tests/parity/unet.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import json
import pathlib

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file

import formula
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TARGETS = [
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
    "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
]
RANK, ALPHA = 2, 3.0


def inputs(unet, size):
    config = unet.config
    text_dim = config.cross_attention_dim
    text_dim = text_dim if isinstance(text_dim, int) else text_dim[0]
    arguments = dict(
        sample=formula.input("sample", (2, config.in_channels, *size)).double(),
        timestep=torch.tensor([999, 20]),
        encoder_hidden_states=formula.input("text", (2, 5, text_dim)).double(),
    )
    if config.addition_embed_type == "text_time":
        arguments["added_cond_kwargs"] = dict(
            text_embeds=formula.input("text_embeds", (2, 10)).double(),
            time_ids=torch.tensor([[512.0, 768, 0, 16, 512, 768], [1024.0, 1024, 8, 0, 1024, 1024]]),
        )
    return arguments


def sketch(name, gradient):
    flat = gradient.double().flatten()
    probes = [formula.input(f"{name}.probe.{i}", (flat.numel(),)).double() for i in range(3)]
    return torch.stack([flat.norm(), *[flat @ probe for probe in probes]])


def add_lora(unet):
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, init_lora_weights=False))
    tensors = {}
    for name, parameter in unet.named_parameters():
        if ".lora_" in name:
            name = name.replace(".lora_A.default.weight", ".down").replace(".lora_B.default.weight", ".up")
            tensors[name] = parameter
            parameter.data = formula.weight(f"lora.{name}", tuple(parameter.shape)).double()
    return tensors


def make(name, config):
    unet = UNet2DConditionModel(**config).eval()
    keys = {key: list(tensor.shape) for key, tensor in sorted(unet.state_dict().items())}
    formula.fill(unet)
    unet.double()
    size = unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    size, odd = (height, width), (height + 1, width - 1)
    results = {
        "output": unet(**inputs(unet, size)).sample,
        "output_odd": unet(**inputs(unet, odd)).sample,
    }
    lora = add_lora(unet)
    output = unet(**inputs(unet, size)).sample
    loss = (output * formula.input("loss", output.shape)).sum()
    loss.backward()
    results["output_lora"] = output
    by_module = sorted(lora, key=lambda name: name.rsplit(".", 1))
    results["grads"] = torch.stack([sketch(name, lora[name].grad) for name in by_module])
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, FIXTURES / f"unet_{name}.safetensors")
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in keys.items())
    text = f'{{"config": {unet.to_json_string().strip()},\n"keys": {{\n{lines}\n}}}}\n'
    (FIXTURES / f"unet_{name}.json").write_text(text)


if __name__ == "__main__":
    for name, config in CONFIGS.items():
        make(name, config)
