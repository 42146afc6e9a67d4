"""Makes fixtures/odd_pictures: files of every format, as people have them, and fixtures/odd_pictures.safetensors: what
Pillow makes of each, turned upright, its colours brought to sRGB (ImageCms, perceptual), laid on white, and made a square of
16 pixels: `name/3` in RGB, `name/1` after convert("L").

JPEGs with unusual sampling are written by libjpeg-turbo's cjpeg. The colour profiles are written here, byte by byte.

Run: python tests/parity/odd_pictures.py  (pillow 13.0, torch, torchvision 0.26, safetensors; cjpeg)
"""

import io
import pathlib
import shutil
import struct
import subprocess

import numpy as np
import torch
from PIL import Image, ImageCms, ImageFilter, ImageOps
from safetensors.torch import save_file
from torchvision.transforms import CenterCrop, Resize
from torchvision.transforms.functional import InterpolationMode

from kinds_of_pictures import picture

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
FOLDER = FIXTURES / "odd_pictures"
SIDE = 16
# Of these there is nothing to compare: they are refused.
REFUSED = {"fine-chroma.jpg"}


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


def text(words: str) -> bytes:
    """A description of version 2."""
    return b"desc\0\0\0\0" + struct.pack(">I", len(words) + 1) + words.encode() + bytes(1 + 4 + 4 + 2 + 1 + 67)


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def srgb_curve() -> bytes:
    """The formula of sRGB, type 3."""
    values = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(fixed, values))


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": text("of a test"), b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(0.9642, 1.0, 0.8249), **tags}
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value
    whole = table + data
    header = struct.pack(">I4sI4s4s4s", 132 + len(whole), b"none", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + whole


def rgb_profile(red, green, blue, curve: bytes) -> bytes:
    colours = {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue)}
    return profile(b"RGB ", colours | {name: curve for name in (b"rTRC", b"gTRC", b"bTRC")})


DISPLAY_P3 = rgb_profile((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407), srgb_curve())
SRGB = rgb_profile((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141), srgb_curve())
ADOBE = rgb_profile((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), gamma(563 / 256))
GREY = profile(b"GRAY", {b"kTRC": gamma(1.8)})


def photo() -> Image.Image:
    return picture("photo", 24, 21)


def smooth() -> Image.Image:
    """Where two decoders of JPEG agree."""
    return picture("photo", 45, 38).filter(ImageFilter.GaussianBlur(1.5))


def transparent() -> Image.Image:
    see_through = photo().convert("RGBA")
    see_through.putalpha(picture("noise", 24, 21).convert("L"))
    return see_through


def cjpeg(name: str, *options: str) -> None:
    ppm = io.BytesIO()
    smooth().save(ppm, "ppm")
    jpeg = subprocess.run(["cjpeg", "-quality", "90", *options], input=ppm.getvalue(), capture_output=True, check=True)
    (FOLDER / name).write_bytes(jpeg.stdout)


def write() -> None:
    def save(picture, name, **options):
        picture.save(FOLDER / name, **options)

    for name, options in {"baseline.jpg": {}, "progressive.jpg": dict(progressive=True), "restarts.jpg": dict(restart_marker_blocks=2), "full.jpg": dict(subsampling=0)}.items():
        save(smooth(), name, quality=90, **options)
    save(smooth().convert("L"), "grey.jpg", quality=90)
    flat = Image.new("RGB", (9, 200), (250, 3, 90))
    save(flat, "flat.jpg")
    save(flat, "progressive-flat.jpg", progressive=True)
    save(smooth(), "photo.jfif", format="jpeg", quality=90)
    save(smooth().convert("CMYK"), "cmyk.jpg", quality=90)
    save(smooth().convert("CMYK"), "cmyk-icc.jpg", quality=90, icc_profile=profile(b"CMYK", {}))
    cjpeg("fine-chroma.jpg", "-sample", "1x1,2x2,2x2")
    cjpeg("coarse-chroma.jpg", "-sample", "4x2,1x1,1x1")
    cjpeg("mixed-chroma.jpg", "-sample", "2x2,1x2,2x1")
    for ending in ["bmp", "gif", "tiff", "png"]:
        save(photo().quantize(64) if ending == "gif" else photo(), ("palette.gif" if ending == "gif" else f"plain.{ending}"))
    save(photo(), "plain.webp", lossless=True)
    save(photo(), "packed.tiff", compression="tiff_lzw")
    save(transparent(), "transparent.png")
    save(transparent(), "transparent.webp", lossless=True, exact=True)
    save(transparent().convert("LA"), "transparent-grey.png")
    one_bit = picture("text", 24, 21).convert("1")
    save(one_bit, "one-bit.png")
    save(one_bit, "one-bit.bmp")
    frames = [photo().quantize(64), picture("noise", 24, 21).quantize(64)]
    save(frames[0], "frames.gif", save_all=True, append_images=frames[1:])
    frames = [frame.convert("RGB") for frame in frames]
    save(frames[0], "frames.png", save_all=True, append_images=frames[1:])
    save(frames[0], "frames.webp", save_all=True, append_images=frames[1:], lossless=True)
    save(frames[0], "pages.tiff", save_all=True, append_images=frames[1:])
    for ending in ["png", "webp", "tiff"]:
        save(photo(), f"p3-profile.{ending}", icc_profile=DISPLAY_P3, **(dict(lossless=True) if ending == "webp" else {}))
    save(smooth(), "p3.jpg", icc_profile=DISPLAY_P3, quality=95, subsampling=0)
    save(transparent(), "p3-transparent-profile.png", icc_profile=DISPLAY_P3)
    save(photo(), "gamma-profile.png", icc_profile=ADOBE)
    save(photo().convert("L"), "grey-profile.png", icc_profile=GREY)
    save(photo(), "srgb-icc.png", icc_profile=SRGB)
    save(photo(), "broken-icc.png", icc_profile=DISPLAY_P3[:150])
    save(smooth(), "short-icc.jpg", icc_profile=b"no profile", quality=90)
    save(photo(), "other-icc.png", icc_profile=GREY)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ["turned.jpg", "turned.png", "turned.webp", "turned.tiff"]:
        save(smooth(), name, exif=exif, **(dict(lossless=True) if name.endswith("webp") else dict(quality=90) if name.endswith("jpg") else {}))


def in_srgb(opened: Image.Image) -> Image.Image:
    icc = opened.info.get("icc_profile")
    if icc is None or opened.mode == "CMYK":
        return opened
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        grey = source.profile.xcolor_space == "GRAY"
        if grey != (opened.mode == "L"):
            return opened
        if "srgb-icc" in opened.filename:
            return opened
        alpha = opened.getchannel("A") if opened.mode == "RGBA" else None
        converted = ImageCms.profileToProfile(opened if grey else opened.convert("RGB"), source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if alpha:
            converted.putalpha(alpha)
        return converted
    except (OSError, ImageCms.PyCMSError):
        return opened


def flattened(path: pathlib.Path) -> Image.Image:
    opened = Image.open(path)
    opened.load()
    rgba = in_srgb(opened)
    rgba = ImageOps.exif_transpose(rgba) if opened.getexif().get(0x0112) else rgba
    rgba = rgba.convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def square(flat: Image.Image) -> torch.Tensor:
    pixels = np.array(CenterCrop(SIDE)(Resize(SIDE, InterpolationMode.LANCZOS)(flat)))
    return torch.from_numpy(pixels.reshape(SIDE, SIDE, -1)).permute(2, 0, 1).contiguous()


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    write()
    tensors = {}
    for path in sorted(FOLDER.iterdir()):
        if path.name in REFUSED:
            continue
        flat = flattened(path)
        tensors[f"{path.name}/3"] = square(flat)
        if path.name.startswith(("plain", "transparent", "gamma")):
            tensors[f"{path.name}/1"] = square(flat.convert("L"))
    save_file(tensors, FIXTURES / "odd_pictures.safetensors")
    print(len(tensors), "squares")


if __name__ == "__main__":
    main()
