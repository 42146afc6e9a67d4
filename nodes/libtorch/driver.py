"""Whether there is an NVIDIA driver, and whether the pinned libtorch computes with it and its GPUs."""
import dataclasses
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path("/")
# What CUDA 13.0, with which the pinned libtorch is built, asks for.
CUDA, NEEDS, OLDEST = "13.0", 580, (7, 5)


@dataclasses.dataclass(frozen=True)
class Driver:
    there: bool = False
    # As "580.65.06", and the GPUs by name and compute capability; empty where nobody says.
    version: str = ""
    gpus: tuple[tuple[str, tuple[int, int]], ...] = ()

    def fault(self) -> str | None:
        """Why the pinned libtorch would find no GPU, and what to do."""
        if self.version and int(self.version.split(".")[0]) < NEEDS:
            return (f"the NVIDIA driver is {self.version}, and the pinned libtorch (CUDA {CUDA}) needs {NEEDS} or newer: "
                    "update it, or set LIBTORCH to a libtorch 2.11 for an older CUDA")
        if self.gpus and all(capability < OLDEST for _, capability in self.gpus):
            named = ", ".join(f"{name} ({major}.{minor})" for name, (major, minor) in self.gpus)
            return (f"the pinned libtorch (CUDA {CUDA}) computes on GPUs of compute capability {OLDEST[0]}.{OLDEST[1]} and newer, "
                    f"and here is {named}: set LIBTORCH to a libtorch 2.11 that was built for it")
        return None


def of(root: pathlib.Path = ROOT) -> Driver:
    """The driver of this machine, or of the one whose files are below `root`."""
    told = root / "proc/driver/nvidia/version"
    windows = root / "usr/lib/wsl/lib"
    program = next(filter(pathlib.Path.exists, [windows / "nvidia-smi"]), shutil.which("nvidia-smi") if root == ROOT else None)
    of_windows = (root / "dev/dxg").exists() and (windows / "libcuda.so.1").exists()
    if not (told.exists() or of_windows or program):
        return Driver()
    rows = ask(program) if program else []
    version = rows[0][2] if rows else first_version(told.read_text()) if told.exists() else ""
    return Driver(True, version, tuple((name, capability(number)) for name, number, _ in rows))


def ask(program) -> list[list[str]]:
    """Name, compute capability and driver of each GPU, as NVIDIA's program tells them; nothing where it does not."""
    query = [str(program), "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines()]
    is_whole = lambda row: len(row) == 3 and re.fullmatch(r"\d+\.\d+", row[1]) and re.match(r"\d+\.\d", row[2])
    return [row for row in rows if is_whole(row)] if answer.returncode == 0 else []


def capability(number: str) -> tuple[int, int]:
    major, minor = number.split(".")
    return int(major), int(minor)


def first_version(text: str) -> str:
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return found.group() if found else ""
