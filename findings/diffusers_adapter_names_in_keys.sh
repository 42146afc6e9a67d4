#!/usr/bin/env bash
# diffusers 0.42.1 with peft 0.21.2: a LoRA whose keys have the adapter's name in them, `….to_q.lora_A.default.weight`, as they
# stand in the state_dict of a model that peft trains.
#
# Guess: it is read as without the name, or refused, for none of its keys is known.
# Seen: it is loaded as a LoRA that adds nothing: the adapter is there and in force, its up half is zeros, and the model draws as
# before. A warning lists unexpected keys, and missing ones with another adapter's name.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch==2.11.0" "diffusers==0.42.1" "peft==0.21.2" transformers
cat >"$dir/run.py" <<'PY'
import torch
from diffusers import UNet2DConditionModel

unet = UNet2DConditionModel(
    sample_size=8, block_out_channels=(32,), layers_per_block=1, cross_attention_dim=32, attention_head_dim=4, norm_num_groups=8,
    down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",),
)
module = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
for adapter, name in [("plain", ""), ("named", ".default")]:
    halves = {"A": torch.ones(4, 32), "B": torch.ones(32, 4)}
    unet.load_lora_adapter(
        {f"unet.{module}.lora_{half}{name}.weight": value for half, value in halves.items()},
        prefix="unet", adapter_name=adapter,
    )
    print(adapter, float(unet.get_submodule(module).lora_B[adapter].weight.abs().sum()), unet.active_adapters())
    unet.delete_adapters(adapter)
PY
"$dir/venv/bin/python" "$dir/run.py" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
plain 128.0 ['plain']
named 0.0 ['named']
SEEN
