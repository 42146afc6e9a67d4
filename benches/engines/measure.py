"""What a command costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of a command with all that it starts: seconds, and MiB of the process that had most."""

    wall: float
    cpu: float
    memory: float


def cost(command: list[str], folder: str | os.PathLike) -> Cost:
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} in {folder} ended with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    of = lambda name: statistics.median(getattr(cost, name) for cost in costs)
    return Cost(of("wall"), of("cpu"), of("memory"))
