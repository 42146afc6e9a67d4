#!/usr/bin/env bash
# datasets 5.2.0, imagefolder with a metadata.csv.
#
# Guess: a caption comes out as it is written, for the column `text` is text.
# Seen: the captions None, NA, nan and null are no captions (null), without a warning, because the file is read as pandas reads
# a table of numbers. Where all captions of a folder are digits they come out as numbers: 007 is 7. A metadata.jsonl with the same
# captions keeps each of them.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "datasets==5.2.0" "pillow==13.0.0"
cat >"$dir/run.py" <<'PY'
import json, pathlib, sys
from datasets import load_dataset
from PIL import Image

def captions(name, texts, form):
    folder = pathlib.Path(sys.argv[1], name)
    folder.mkdir()
    for i, _ in enumerate(texts):
        Image.new("RGB", (8, 8)).save(folder / f"{i}.png")
    if form == "csv":
        lines = ["file_name,text"] + [f"{i}.png,{text}" for i, text in enumerate(texts)]
    else:
        lines = [json.dumps({"file_name": f"{i}.png", "text": text}) for i, text in enumerate(texts)]
    (folder / f"metadata.{form}").write_text("\n".join(lines) + "\n")
    return [row["text"] for row in load_dataset("imagefolder", data_dir=str(folder), split="train")]

words = ["None", "NA", "nan", "null", "a red fox"]
print("csv", captions("words", words, "csv"), captions("digits", ["007"], "csv"))
print("jsonl", captions("words-lines", words, "jsonl"), captions("digits-lines", ["007"], "jsonl"))
PY
HF_HOME="$dir/home" "$dir/venv/bin/python" "$dir/run.py" "$dir" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
csv [None, None, None, None, 'a red fox'] [7]
jsonl ['None', 'NA', 'nan', 'null', 'a red fox'] ['007']
SEEN
