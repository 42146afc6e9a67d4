#!/usr/bin/env python3
"""What a plan costs after a change at the root of a wide graph, as a multiple of the plan in which all is cached.

    python3 tests/plan_cost.py [--binary target/release/hyper-flow] [--nodes 500] [--inputs 50]

Runs a pipeline of `Command` nodes of that many inputs once, in a temporary directory, then plans it with and without
the change in turn, and prints the CPU seconds of both (medians) and their ratio.
"""
import argparse
import pathlib
import random
import resource
import statistics
import subprocess
import tempfile


def pipeline(nodes: int, inputs: int) -> str:
    choice = random.Random(1)
    lines = ['"root": Command(program: ["sh", "-c", "echo $0 > $FLOW_OUT/o", Param("text")])']
    names = ["root"]
    for index in range(nodes):
        taken = choice.sample(names, min(inputs, len(names)))
        ports = ", ".join(f'"p{port}": "{name}"' for port, name in enumerate(taken))
        script = f"echo {index} > $FLOW_OUT/o; cat $FLOW_IN_P0/o >> $FLOW_OUT/o"
        lines.append(f'"n{index}": Command(program: ["sh", "-c", "{script}"], inputs: {{{ports}}})')
        names.append(f"n{index}")
    return 'Pipeline(name: "wide", params: {"text": "1"}, nodes: {\n' + ",\n".join(lines) + "\n})\n"


def cpu_seconds(command: list[str], folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/hyper-flow")
    arguments.add_argument("--nodes", type=int, default=500)
    arguments.add_argument("--inputs", type=int, default=50)
    given = arguments.parse_args()
    binary = str(pathlib.Path(given.binary).resolve())
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "wide.ron").write_text(pipeline(given.nodes, given.inputs))
        subprocess.run([binary, "run", "wide.ron", "--quiet"], cwd=folder, check=True)
        plan = [binary, "plan", "wide.ron", "--quiet"]
        changed = [*plan, "--set", 'params.text="2"']
        pairs = [(cpu_seconds(plan, folder), cpu_seconds(changed, folder)) for _ in range(7)]
    cached, root = (statistics.median(times) for times in zip(*pairs))
    print(f"all cached {cached:.3f} s, root changed {root:.3f} s of CPU time: {root / cached:.2f} times")


if __name__ == "__main__":
    main()
