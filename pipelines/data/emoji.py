#!/usr/bin/env python3
"""Writes pipelines/data/emoji, the folder that emoji.ron reads: 1,762 pictures of 64x64 pixels with captions.

    python3 pipelines/data/emoji.py

The pictures are Twemoji (CC-BY 4.0, copyright 2019 Twitter, Inc and other contributors), as the npm package
emoji-datasource-twitter packs them; it is fetched by npm and must have the SHA-256 below.

A caption is the name of the emoji, and its skin tone where it has one: "man detective, medium-dark skin tone". Of each
emoji that comes in five skin tones, one is held out: its name and its tone are both known, only not together.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

PACKAGE = "emoji-datasource-twitter@16.0.0"
SHA256 = "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"
TONES = {
    "1F3FB": "light",
    "1F3FC": "medium-light",
    "1F3FD": "medium",
    "1F3FE": "medium-dark",
    "1F3FF": "dark",
}
# What is told apart at 32x32 pixels, and named by what it shows: no flags, no signs, no tools.
CATEGORIES = ["Smileys & Emotion", "Animals & Nature", "Food & Drink"]
PEOPLE = ["hands", "body-parts", "person", "person-role", "person-gesture", "person-fantasy"]
FOLDER = pathlib.Path(__file__).parent / "emoji"


def fetch(folder):
    """The package's archive, as npm brings it."""
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = pathlib.Path(folder).glob("*.tgz")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{PACKAGE} has the SHA-256 {found}, not {SHA256}: it is not what this script was written for")
    return archive


def shown(emoji):
    part = emoji["subcategory"]
    return emoji["category"] in CATEGORIES or part in PEOPLE or part.startswith("hand-")


def pictures(emoji):
    """(file, caption, split) of an emoji and of its skin tones; couples of two tones are left out."""
    name = " ".join(emoji["name"].lower().replace(":", ",").split())
    yield emoji["image"], name, "train"
    aside = list(TONES)[hashlib.sha256(name.encode()).digest()[0] % len(TONES)]
    for tone, variation in emoji.get("skin_variations", {}).items():
        if tone in TONES:
            yield variation["image"], f"{name}, {TONES[tone]} skin tone", "held_out" if tone == aside else "train"


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if shutil.which("npm") is None:
        raise SystemExit("npm, which brings the pictures, is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fetch(scratch)) as archive:
            archive.extractall(scratch, filter="data")
        package = pathlib.Path(scratch) / "package"
        emojis = json.loads((package / "emoji.json").read_text())
        lines = [line for emoji in emojis if shown(emoji) for line in pictures(emoji)]
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        for file, _, _ in lines:
            shutil.copyfile(package / "img/twitter/64" / file, FOLDER / file)
    with open(FOLDER / "metadata.jsonl", "w") as metadata:
        for file, text, split in lines:
            metadata.write(json.dumps({"file_name": file, "text": text, "split": split}) + "\n")
    aside = sum(split == "held_out" for _, _, split in lines)
    print(f"{FOLDER}: {len(lines)} pictures, {aside} of them held out")


if __name__ == "__main__":
    main()
