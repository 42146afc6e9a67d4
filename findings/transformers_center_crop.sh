#!/usr/bin/env bash
# transformers 5.24.0 and torchvision 0.26.0: the middle 28 columns of a picture of 35, by CLIPImageProcessor and by center_crop.
#
# Guess: the same columns, for CLIP's own preprocessing is torchvision's Resize and CenterCrop, and the class of transformers stands
# in its place.
# Seen: they begin at column 3 and at column 4. The one rounds an odd margin down, the other rounds half of it to even, so that
# features of a picture differ by which library cut it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch==2.11.0" "torchvision==0.26.0" "transformers==5.24.0" "pillow==13.0.0" numpy
cat >"$dir/run.py" <<'PY'
import torch
from torchvision.transforms.functional import center_crop
from transformers import CLIPImageProcessor

columns = torch.arange(35).to(torch.uint8).reshape(1, 1, 35).expand(3, 28, 35).contiguous()
processor = CLIPImageProcessor(do_resize=False, do_rescale=False, do_normalize=False, crop_size=28)
cut = processor(images=columns, return_tensors="pt")["pixel_values"]
print("transformers", int(cut[0, 0, 0, 0]), "torchvision", int(center_crop(columns, [28, 28])[0, 0, 0]))
PY
"$dir/venv/bin/python" "$dir/run.py" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
transformers 3 torchvision 4
SEEN
