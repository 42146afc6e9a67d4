"""Prints how far what ImageFolder makes of pictures is from what Pillow and torchvision make of them: the largest and the mean
difference of bytes, for eight kinds of picture and five things that are done with them, for one or more builds.

A picture is written as a file; Pillow opens it, converts its profile (ImageCms), lays it on white and makes it grey, and
torchvision's Resize and CenterCrop make the square. Pillow's own resize is held to be the same.

Run: python tests/parity/pictures_table.py HYPER-FLOW…  (pillow 13.0, torch, torchvision 0.26, safetensors, numpy)
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageFilter
from safetensors.numpy import load_file
from torchvision.transforms import CenterCrop, Resize
from torchvision.transforms.functional import InterpolationMode

from kinds_of_pictures import KINDS, picture
from odd_pictures import DISPLAY_P3, flattened

SIDE = 64
SIZES = dict(edges=(301, 200), photo=(400, 300), gradient=(150, 260), noise=(128, 200), text=(180, 150), mask=(199, 240), tiny=(23, 17), huge=(1613, 1207))
ACTS = ["resize", "grey", "white", "profile", "jpeg"]


def write(folder: pathlib.Path, act: str) -> None:
    folder.mkdir()
    for kind in KINDS:
        whole = picture(kind, *SIZES[kind])
        match act:
            case "white":
                whole = whole.convert("RGBA")
                whole.putalpha(picture("noise", *SIZES[kind]).convert("L").filter(ImageFilter.GaussianBlur(1)))
                whole.save(folder / f"{kind}.png")
            case "profile":
                whole.save(folder / f"{kind}.png", icc_profile=DISPLAY_P3)
            case "jpeg":
                whole.save(folder / f"{kind}.jpg", quality=90)
            case _:
                whole.save(folder / f"{kind}.png")
        (folder / f"{kind}.txt").write_text(kind)


def expected(path: pathlib.Path, act: str) -> np.ndarray:
    flat = flattened(path)
    flat = flat.convert("L") if act == "grey" else flat
    scaled = Resize(SIDE, InterpolationMode.LANCZOS)(flat)
    assert np.array_equal(np.array(scaled), np.array(flat.resize(scaled.size, Image.Resampling.LANCZOS)))
    return np.array(CenterCrop(SIDE)(scaled)).reshape(SIDE, SIDE, -1).transpose(2, 0, 1)


def made(program: str, home: pathlib.Path) -> dict[tuple[str, str], np.ndarray]:
    nodes = ", ".join(
        f'"{act}": ImageFolder(folder: "{act}", size: {SIDE}, channels: {1 if act == "grey" else 3}, held_out: 0.5)' for act in ACTS
    )
    (home / "p.ron").write_text(f'Pipeline(name: "p", seed: 1, nodes: {{{nodes}}})')
    subprocess.run([program, "run", "p.ron"], cwd=home, check=True, capture_output=True)
    found = {}
    for act in ACTS:
        subprocess.run([program, "export", "p.ron", act, f"{act}-out", "--force"], cwd=home, check=True, capture_output=True)
        for half in ["train", "held_out"]:
            images = load_file(home / f"{act}-out" / f"{half}.safetensors")["images"]
            lines = (home / f"{act}-out" / f"{half}.jsonl").read_text().splitlines()
            found |= {(act, json.loads(line)["text"]): image for line, image in zip(lines, images)}
    return found


def main() -> None:
    programs = [str(pathlib.Path(program).resolve()) for program in sys.argv[1:]]
    print(f"{'':10}" + "".join(f"{act:>16}" for act in ACTS))
    for program in programs:
        with tempfile.TemporaryDirectory() as home:
            home = pathlib.Path(home)
            for act in ACTS:
                write(home / act, act)
            found = made(program, home)
            for kind in KINDS:
                cells = ""
                for act in ACTS:
                    path = home / act / f"{kind}.{'jpg' if act == 'jpeg' else 'png'}"
                    apart = np.abs(found[act, kind].astype(int) - expected(path, act))
                    cells += f"{apart.max():8d} {apart.mean():7.3f}"
                print(f"{kind:10}{cells}")
        print()


if __name__ == "__main__":
    main()
