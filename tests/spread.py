"""How far what is computed differs between CPUs: the measure that the tolerances of parity and golden tests come from.

  python3 tests/spread.py                   # about six minutes on two free cores; prints two tables of Markdown

Runs both under each capability that this CPU can play, and gives for each fixture family (a file of nodes/diffusion/tests/parity)
how far it was from Python, for each golden kind how far from what is pinned: of all comparisons the one that came nearest to
its tolerance, beside that tolerance. Fails as the tests do. Not in CI.
"""

import collections
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from planted import CAPABILITIES, ROOT

TESTS = [["--test", "parity"], ["--lib", "parity"], ["--test", "worker", "golden::"]]


def comparisons(capability, file):
    """(family, difference, tolerance) of each."""
    environment = {**os.environ, **CAPABILITIES[capability], "HYPER_FLOW_SPREAD": str(file)}
    for test in TESTS:
        done = subprocess.run(["cargo", "test", "--workspace", *test], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            print(f"{capability}: {' '.join(test)} fails", file=sys.stderr)
    for line in file.read_text().splitlines():
        test, _, difference, tolerance = line.split("\t")
        names = test.split("::")
        yield ("golden", names[1]) if names[0] == "golden" else ("parity", names[0]), float(difference), float(tolerance)


def main():
    nearest = collections.defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        for capability in CAPABILITIES:
            for family, difference, tolerance in comparisons(capability, pathlib.Path(folder) / capability):
                now = nearest[family].setdefault(capability, (difference, tolerance))
                nearest[family][capability] = max(now, (difference, tolerance), key=lambda pair: pair[0] / pair[1])
    for table in ("parity", "golden"):
        print(f"\n| {table} | {' | '.join(CAPABILITIES)} |\n|---|{'---|' * len(CAPABILITIES)}")
        for (of, family), seen in sorted(nearest.items()):
            if of == table:
                cells = ["{:.1e} of {:.0e}".format(*seen[c]) if c in seen else "-" for c in CAPABILITIES]
                print(f"| {family} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
