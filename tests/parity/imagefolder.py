"""Makes fixtures/imagefolder: small folders of pictures with metadata in every form, and fixtures/imagefolder.json: what
Hugging Face's imagefolder reads from each: the first byte of every picture, its caption, its half.

Run: HF_DATASETS_OFFLINE=1 python tests/parity/imagefolder.py  (datasets 5.2, pillow, pyarrow)
"""

import csv
import json
import pathlib
import shutil
import tempfile

import pyarrow
import pyarrow.parquet
from datasets import load_dataset
from PIL import Image

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
ROOT = FIXTURES / "imagefolder"
CAPTIONS = ["a red fox", "comma, \"quote\"\nand line", "größer"]


def pictures(folder: pathlib.Path, *names: str) -> None:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), (20 * (i + 1),) * 3).save(path)


def rows(column: str, *names: str) -> list[dict]:
    return [{column: name, "text": CAPTIONS[i % 3], "score": i / 2} for i, name in enumerate(names)]


def write_csv(path: pathlib.Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_lines(path: pathlib.Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path: pathlib.Path, rows: list[dict]) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def make() -> None:
    names = ["a.png", "b.png", "deep/c.png"]
    for form, write in dict(csv=write_csv, jsonl=write_lines, parquet=write_parquet).items():
        pictures(ROOT / form, *names)
        write(ROOT / form / f"metadata.{form}", rows("file_name", *names))
    pictures(ROOT / "column", *names)
    write_csv(ROOT / "column" / "metadata.csv", rows("image_file_name", *names))
    for i, half in enumerate(["train", "test"]):
        pictures(ROOT / "halves" / half, *["x.png", "y.png", "z.png"][i:])
        write_lines(ROOT / "halves" / half / "metadata.jsonl", rows("file_name", *["x.png", "y.png", "z.png"][i:]))
    pictures(ROOT / "hidden", "a.png", "b.png", ".ipynb_checkpoints/c.png", "__MACOSX/d.png", "._a.png")
    write_lines(ROOT / "hidden" / "metadata.jsonl", rows("file_name", "a.png", "b.png"))


def read(folder: pathlib.Path) -> list:
    with tempfile.TemporaryDirectory() as cache:
        halves = load_dataset("imagefolder", data_dir=str(folder), cache_dir=cache)
        found = [
            [row["image"].getpixel((0, 0))[0], row["text"], "train" if half == "train" else "held_out"]
            for half, data in halves.items()
            for row in data
        ]
    return sorted(found)


def main() -> None:
    shutil.rmtree(ROOT, ignore_errors=True)
    make()
    expected = {folder.name: read(folder) for folder in sorted(ROOT.iterdir())}
    (FIXTURES / "imagefolder.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
