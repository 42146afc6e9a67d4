"""Makes fixtures/shard.tar, a shard as webdataset writes one, and fixtures/shard.json: how webdataset splits names, and
which samples it reads from the shard: key, extensions, caption.

Run: python tests/parity/shard.py  (webdataset, pillow, numpy)
"""

import io
import json
import pathlib

import numpy as np
import webdataset
from PIL import Image
from webdataset.tariterators import base_plus_ext

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
NAMES = [
    "a.jpg",
    "a.seg.png",
    "dir/a.txt",
    "d.i.r/a.JPEG",
    "d.i.r/a",
    "a",
    ".hidden",
    "a..jpg",
    "../a.jpg",
    "/etc/a.json",
    "a b/ü.jpg",
    "a.",
    "./x/1.2.3",
]


def picture(format: str, shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), shade, np.uint8)).save(file, format)
    return file.getvalue()


SAMPLES = [
    {"__key__": "00/0000", "jpg": picture("jpeg", 10), "txt": "a first picture\n".encode()},
    {"__key__": "00/0001", "png": picture("png", 60), "json": json.dumps({"caption": "zweites Bild, größer", "width": 9}).encode()},
    {"__key__": "00/0002", "webp": picture("webp", 110), "json": json.dumps({"text": "a third"}).encode()},
    {"__key__": "00/0003", "jpeg": picture("jpeg", 160), "txt": b"a fourth", "json": json.dumps({"caption": "not this"}).encode(), "cls": b"4"},
    {"__key__": "00/0004", "jpg": picture("jpeg", 210)},
    {"__key__": "00/0005", "txt": b"no picture"},
]
KEYS = "__key__", "__url__", "__local_path__"

path = FIXTURES / "shard.tar"
with webdataset.TarWriter(str(path), user="nobody", group="nobody", mtime=0) as writer:
    for sample in SAMPLES:
        writer.write(sample)
read = []
for sample in webdataset.WebDataset(str(path), shardshuffle=False):
    text = sample.get("txt", b"").decode().strip()
    described = json.loads(sample.get("json", b"{}"))
    caption = text or described.get("caption") or described.get("text")
    read.append({"key": sample["__key__"], "extensions": sorted(set(sample) - set(KEYS)), "caption": caption})
fixture = {"names": [[name, *base_plus_ext(name)] for name in NAMES], "samples": read}
(FIXTURES / "shard.json").write_text(json.dumps(fixture, ensure_ascii=False, indent=1) + "\n")
