#!/usr/bin/env python3
"""Bring the libtorch that the `tch` crate is built against, once, into .libtorch/ of the checkout.

The wheel of torch holds libtorch itself, so one pinned download serves every Linux and macOS
machine with Python, and no Torch is installed for any Python. Wheels are pinned by version and hash in
the files beside this script. On a machine without an NVIDIA driver the CUDA libraries are left out;
with one that this libtorch cannot use (driver.py) nothing is brought, and it is said why.

Nothing is changed until everything is there: files are unpacked beside the final place and renamed as
the last step, so an interrupted download is simply started again.
"""
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

import driver

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parent.parent / ".libtorch"
# Of the CPU build: what only CUDA or Python needs.
CUDA_ONLY = ("libtorch_cuda", "libc10_cuda", "libtorch_nvshmem", "libcaffe2_nvrtc", "libtorch_python")


def wants_cuda(asked: str, found: driver.Driver) -> bool:
    """Whether the libtorch with CUDA is brought: where there is a driver, unless somebody says what is wanted."""
    if asked != "auto":
        return asked == "1"
    if found.there and (fault := found.fault()):
        sys.exit(f"libtorch: {fault}; or take the one without CUDA: HYPER_FLOW_CUDA=0 make")
    return found.there


def variant() -> str:
    machine, system = platform.machine(), platform.system()
    if system == "Darwin" and machine == "arm64":
        return "macos-arm64"
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        sys.exit(f"no pinned libtorch for {system} {machine}: install libtorch 2.11 and set LIBTORCH to it")
    cuda = wants_cuda(os.environ.get("HYPER_FLOW_CUDA", "auto"), driver.of())
    if cuda and machine == "aarch64":
        sys.exit("no pinned CUDA libtorch for aarch64: set LIBTORCH to one, or HYPER_FLOW_CUDA=0")
    return f"linux-{machine}-{'cuda' if cuda else 'cpu'}"


def platforms(name: str) -> list[str]:
    if name.startswith("macos"):
        return ["macosx_11_0_arm64"]
    arch = name.split("-")[1]
    tags = [f"manylinux_2_{minor}" for minor in range(28, 4, -1)] + ["manylinux2014", "manylinux2010", "manylinux1"]
    return [f"{tag}_{arch}" for tag in tags]


def download(requirements: pathlib.Path, into: str) -> list[pathlib.Path]:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]
    for name in platforms(requirements.stem):
        command += ["--platform", name]
    command += ["--disable-pip-version-check", "--no-cache-dir", "-d", into, "-r", str(requirements)]
    if subprocess.run(command).returncode != 0:
        sys.exit("libtorch was not brought (see pip's message above); nothing was changed, run it again")
    return sorted(pathlib.Path(into).glob("*.whl"))


def wanted(path: str, cpu_only: bool) -> bool:
    if path.startswith("nvidia/"):
        return "/lib/" in path and ".so" in path
    if not path.startswith(("torch/lib/", "torch/include/")):
        return False
    return not (cpu_only and pathlib.PurePosixPath(path).name.startswith(CUDA_ONLY))


def unpack(wheels: list[pathlib.Path], into: pathlib.Path, cpu_only: bool) -> None:
    for wheel in wheels:
        print(f"unpacking {wheel.name}", flush=True)
        with zipfile.ZipFile(wheel) as archive:
            for path in archive.namelist():
                if wanted(path, cpu_only):
                    archive.extract(path, into)


def main() -> None:
    if os.environ.get("LIBTORCH"):
        print(f"libtorch: using LIBTORCH={os.environ['LIBTORCH']}")
        return
    name = variant()
    requirements = HERE / f"{name}.txt"
    stamp = f"{name} {hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"
    marker = TARGET / "variant"
    if marker.exists() and marker.read_text() == stamp:
        return
    print(f"libtorch: bringing {name} into {TARGET.name}/ (pinned by hash; once)", flush=True)
    staging = TARGET.with_name(".libtorch.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    with tempfile.TemporaryDirectory(dir=staging) as wheels:
        unpack(download(requirements, wheels), staging, cpu_only=name.endswith("cpu"))
    (staging / "variant").write_text(stamp)
    shutil.rmtree(TARGET, ignore_errors=True)
    staging.rename(TARGET)
    print(f"libtorch: ready in {TARGET.name}/", flush=True)


if __name__ == "__main__":
    main()
