#!/usr/bin/env bash
# diffusers 0.42.1 with peft 0.21.2: a LoRA file with kohya's keys of which two attention layers have another alpha than the third.
#
# Guess: each layer is scaled by its own alpha / rank, as every alpha stands in the file beside its layer.
# Seen: all attention layers get the alpha that most have. Only peft mentions it, of keys that "were ignored"; layers that are
# no attention (conv1) keep their own.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch==2.11.0" "diffusers==0.42.1" "peft==0.21.2" transformers
cat >"$dir/run.py" <<'PY'
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

unet = UNet2DConditionModel(
    sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=32,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
)
block = "mid_block.attentions.0.transformer_blocks.0.attn1"
alphas = {f"{block}.to_q": 8.0, f"{block}.to_k": 8.0, f"{block}.to_v": 2.0, "mid_block.resnets.0.conv1": 4.0}
state = {}
for path, alpha in alphas.items():
    name, shape = "lora_unet_" + path.replace(".", "_"), unet.get_submodule(path).weight.shape
    state[f"{name}.lora_down.weight"] = torch.ones(2, *shape[1:])
    state[f"{name}.lora_up.weight"] = torch.ones(shape[0], 2, *[1] * (len(shape) - 2))
    state[f"{name}.alpha"] = torch.tensor(alpha)
state, found = StableDiffusionPipeline.lora_state_dict(state, unet_config=unet.config)
StableDiffusionPipeline.load_lora_into_unet(state, network_alphas=found, unet=unet)
for path, alpha in alphas.items():
    (scale,) = unet.get_submodule(path).scaling.values()
    print(path.split(".")[-1], "alpha", alpha, "scale", scale, "of", alpha / 2)
PY
"$dir/venv/bin/python" "$dir/run.py" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
to_q alpha 8.0 scale 4.0 of 4.0
to_k alpha 8.0 scale 4.0 of 4.0
to_v alpha 2.0 scale 4.0 of 1.0
conv1 alpha 4.0 scale 2.0 of 2.0
SEEN
