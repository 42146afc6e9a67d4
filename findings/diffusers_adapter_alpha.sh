#!/usr/bin/env bash
# diffusers 0.42.1 with peft 0.21.2: a LoRA of rank 4 and alpha 16, saved by `unet.save_lora_adapter`, loaded by
# `unet.load_lora_adapter` from the path of the file.
#
# Guess: what one writes the other reads, alpha from the header of the file, with the scale 16 / 4.
# Seen: the scale is 1, without a warning: without `use_safetensors=True` the file takes the way of pickles, which have no header.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch==2.11.0" "diffusers==0.42.1" "peft==0.21.2" transformers
cat >"$dir/run.py" <<'PY'
import pathlib, sys
from diffusers import UNet2DConditionModel
from peft import LoraConfig

def unet():
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )

def scale(unet):
    return {scale for m in unet.modules() if hasattr(m, "lora_A") for scale in m.scaling.values()}

trained = unet()
trained.add_adapter(LoraConfig(r=4, lora_alpha=16, target_modules=["to_q"]))
trained.save_lora_adapter(sys.argv[1])
file = pathlib.Path(sys.argv[1], "pytorch_lora_weights.safetensors")
print("saved", scale(trained))
for options in ({}, {"use_safetensors": True}):
    loaded = unet()
    loaded.load_lora_adapter(file, prefix=None, **options)
    print("loaded", options, scale(loaded))
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir/saved" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
saved {4.0}
loaded {} {1.0}
loaded {'use_safetensors': True} {4.0}
SEEN
