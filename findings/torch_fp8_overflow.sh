#!/usr/bin/env bash
# torch 2.11.0 on a CPU: weights cast to float8_e4m3fn, the format of fp8 checkpoints, whose largest number is 448.
#
# Guess: what is larger becomes 448, as the ending fn (finite) says and as a cast for inference should.
# Seen: up to 464 it is 448, and above that NaN, also for a plain 500 and for infinity, without a word: a NaN weight for each outlier.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch==2.11.0" numpy
"$dir/venv/bin/python" -c '
import torch
print(torch.tensor([448.0, 464.0, 465.0, 500.0, float("inf")]).to(torch.float8_e4m3fn).float().tolist())
' 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
[448.0, 448.0, nan, nan, nan]
SEEN
