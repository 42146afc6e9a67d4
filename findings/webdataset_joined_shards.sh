#!/usr/bin/env bash
# webdataset 1.0.2, two shards joined by `cat a.tar b.tar`, and by `cat a.tar.gz b.tar.gz`.
#
# Guess: all four samples, as `cat` joins gzip, JSON lines and text; or an error.
# Seen: those of the first shard alone, in both cases, without a word. A tar ends with two blocks of zeros, and what stands
# behind them is not looked at, although gzip itself reads both members.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "webdataset==1.0.2"
cat >"$dir/run.py" <<'PY'
import gzip, io, pathlib, sys, tarfile
import webdataset

def shard(*keys):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for key in keys:
            member = tarfile.TarInfo(key + ".txt")
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    return out.getvalue()

parts = [shard("a", "b"), shard("c", "d")]
for name, joined in [("ab.tar", b"".join(parts)), ("ab.tar.gz", b"".join(map(gzip.compress, parts)))]:
    path = pathlib.Path(sys.argv[1], name)
    path.write_bytes(joined)
    print(name, [sample["__key__"] for sample in webdataset.WebDataset(str(path), shardshuffle=False)])
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
ab.tar ['a', 'b']
ab.tar.gz ['a', 'b']
SEEN
