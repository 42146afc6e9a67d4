#!/usr/bin/env bash
# webdataset 1.0.2, a shard whose pictures are named as video frames and renderers name them: img.0001.txt, img.0002.txt.
#
# Guess: two samples, of the keys img.0001 and img.0002; at the least an error, for a sample cannot have two captions.
# Seen: one sample of the key img with the fields 0001.txt and 0002.txt, without a word. The key ends at the first dot of the file's
# name, and a loader that asks for `txt` then finds none in a shard of any number of pictures.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "webdataset==1.0.2"
cat >"$dir/run.py" <<'PY'
import io, sys, tarfile
import webdataset

path = sys.argv[1] + "/shard.tar"
with tarfile.open(path, "w") as tar:
    for name in ["img.0001.txt", "img.0001.cls", "img.0002.txt", "img.0002.cls"]:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"1"))
samples = list(webdataset.WebDataset(path, shardshuffle=False))
print(len(samples), samples[0]["__key__"], sorted(name for name in samples[0] if not name.startswith("__")))
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
1 img ['0001.cls', '0001.txt', '0002.cls', '0002.txt']
SEEN
