#!/usr/bin/env python3
"""hyper-flow beside ninja, on the same graphs of small programs: in turn, medians, ratios.

    pip install ninja
    python3 benches/engines/compare.py                             # a fan and a chain of 1,000
    python3 benches/engines/compare.py --nodes 10000 --rounds 1    # whether 10,000 end, and with how much memory

Both start as many programs at once as there are cores. `cold` runs everything in an empty folder, `null` runs it again when
all is done, `plan` asks what would run (`ninja -n`). CPU time is that of the engine with all programs that it started.
What ninja has made may be gone after a power failure; what hyper-flow has made is on the disk before the next node sees it.
"""

import argparse
import os
import pathlib
import shutil
import tempfile
import time

import graphs
from measure import Cost, cost, median


class Side:
    """One engine on one graph."""

    def __init__(self, folder: pathlib.Path, run: list[str], plan: list[str], made: list[str]):
        self.folder, self.run, self.plan, self.made = folder, run, plan, made
        self.costs: dict[str, list[Cost]] = {"cold": [], "null": [], "plan": []}

    def empty(self) -> None:
        for name in self.made:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).unlink(missing_ok=True)

    def measure(self, what: str) -> None:
        if what == "cold":
            self.empty()
        self.costs[what].append(cost(self.plan if what == "plan" else self.run, self.folder))

    def median(self, what: str) -> Cost:
        return median(self.costs[what])


def sides(folder: pathlib.Path, binary: str, ninja: str) -> list[Side]:
    ours = [binary, "run", "graph.ron", "--quiet"]
    return [
        Side(folder, ours, [binary, "plan", "graph.ron", "--quiet"], [".hyper-flow"]),
        Side(folder, [ninja, "--quiet", "-j", str(cores())], [ninja, "-n"], ["out", ".ninja_log", ".ninja_deps"]),
    ]


def cores() -> int:
    return len(os.sched_getaffinity(0))


def compare(shape: str, given: argparse.Namespace, folder: pathlib.Path) -> None:
    graphs.write(folder, shape, given.nodes)
    both = sides(folder, str(pathlib.Path(given.binary).resolve()), given.ninja)
    for _ in range(given.rounds):
        for side in both:
            side.measure("cold")
    # What is younger than the grain of file systems' clocks is read again by hyper-flow; the first run after it remembers.
    time.sleep(3)
    cost(both[0].run, folder)
    for _ in range(given.repeats):
        for what in ("null", "plan"):
            for side in both:
                side.measure(what)
    print(f"{shape} of {given.nodes}")
    for what in ("cold", "null", "plan"):
        tell(what, *(side.median(what) for side in both))


def tell(what: str, ours: Cost, theirs: Cost) -> None:
    wall = f"wall {ours.wall:8.3f} s beside {theirs.wall:8.3f}: {ours.wall / theirs.wall:5.2f}"
    cpu = f"CPU {ours.cpu:8.3f} s beside {theirs.cpu:8.3f}: {ours.cpu / theirs.cpu:5.2f}"
    memory = f"memory {ours.memory:6.1f} MiB beside {theirs.memory:6.1f}"
    print(f"  {what}  {wall}   {cpu}   {memory}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/hyper-flow")
    arguments.add_argument("--ninja", default=shutil.which("ninja") or "ninja")
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=3, help="cold runs of each")
    arguments.add_argument("--repeats", type=int, default=11, help="null runs and plans of each")
    arguments.add_argument("--shapes", nargs="+", default=["fan", "chain"], choices=["fan", "chain"])
    arguments.add_argument("--folder", help="where the work is done [default: a temporary folder]")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for shape in given.shapes:
            compare(shape, given, pathlib.Path(folder, shape))


if __name__ == "__main__":
    main()
