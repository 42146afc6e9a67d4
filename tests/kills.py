"""Kills a pipeline's nodes at random moments, and holds what they yield to what they yield undisturbed.

  python3 tests/kills.py pipelines/digits.ron tscd-8 reward unified
  python3 tests/kills.py pipelines/digits.ron unified --kills 10 --every 0.5 --seed 7 -- --set unified.steps=200

Each node runs twice, in a store each: to the end at once, and killed so many times that it must go on from its checkpoint.
The engine and its worker are killed together (SIGKILL, as by a power cut) or one of them alone, at moments that are
uniform over the time that the undisturbed run took. What a node needs runs undisturbed first. It fails unless every life
after the first checkpoint goes on from one, and every artifact has the digest of the undisturbed one. With `--damage 0.5`
a bit of the newest checkpoint is flipped after every other kill: the one before it is then gone on with.

Wants the release binaries (`make build`), or `--engine PATH`. What comes after `--` goes to every `hyper-flow run`.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", type=pathlib.Path)
    parser.add_argument("nodes", nargs="+")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, default=0.001, help="seconds between checkpoints")
    parser.add_argument("--damage", type=float, default=0.0, help="the share of kills after which a bit is flipped")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "target/release/hyper-flow")
    parser.add_argument("--store", type=pathlib.Path, help="a folder for both stores, which is kept [default: a temporary one]")
    own, passed = sys.argv[1:], []
    if "--" in own:
        own, passed = own[: own.index("--")], own[own.index("--") + 1 :]
    return parser.parse_args(own), passed


class Store:
    """The pipeline with a store of its own."""

    def __init__(self, options, passed, path):
        self.options, self.path = options, path
        checkpoints = [f"--set=settings.{node}.checkpoint_seconds={options.every}" for node in options.nodes]
        self.passed = [*passed, *checkpoints]

    def command(self, verb, *words):
        return [str(self.options.engine), verb, str(self.options.pipeline), *words, "--store", str(self.path), *self.passed]

    def needs(self, node):
        """Runs what a node needs."""
        planned = json.loads(subprocess.run(self.command("plan", node, "--json"), capture_output=True, check=True).stdout)
        needed = [other["name"] for other in planned["nodes"] if other["name"] != node]
        subprocess.run(self.command("run", *needed, "--quiet"), stdout=subprocess.DEVNULL, check=True)

    def start(self, node):
        """A run of a node in a process group of its own, its events read as lines."""
        command = self.command("run", node, "--json")
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)

    def run(self, node):
        """To the end: the events of the node."""
        with self.start(node) as process:
            events = [json.loads(line) for line in process.stdout]
        if process.returncode != 0:
            sys.exit(f"{node} does not run undisturbed: {[e for e in events if e['event'] == 'node_failed']}")
        return [event for event in events if event.get("node") == node]

    def damage(self, moments):
        """Flips a bit of the newest checkpoint, if there is another; whether one was flipped."""
        for scratch in (self.path / "scratch").iterdir():
            checkpoints = sorted(scratch.glob("checkpoint-*.safetensors"))
            if len(checkpoints) == 2:
                content = bytearray(checkpoints[1].read_bytes())
                content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
                checkpoints[1].write_bytes(content)
                return True
        return False

    def digest(self, node):
        return subprocess.run(self.command("show", node, "--quiet"), capture_output=True, text=True, check=True).stdout.strip()


def workers(engine):
    """The processes that a process has started."""
    children = pathlib.Path(f"/proc/{engine}/task/{engine}/children")
    try:
        return [int(pid) for pid in children.read_text().split()]
    except FileNotFoundError:
        return []


def kill(engine, whom):
    """The worker first: told of its engine's death it would write a checkpoint."""
    pids = {"worker": workers(engine), "engine": [engine], "both": [*workers(engine), engine]}[whom]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def life(store, node, after, whom):
    """One life that is killed so many seconds after the node was started: its events, and whether it came to its end."""
    process = store.start(node)
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "started" and events[-1].get("node") == node:
            break
    time.sleep(after)
    kill(process.pid, whom)
    events += [json.loads(line) for line in process.stdout.read().splitlines() if line.endswith("}")]
    process.wait()
    # A worker that outlives its engine stops by itself.
    return [event for event in events if event.get("node") == node], process.returncode == 0


def check(node, whole, broken, options, moments):
    """Kills one node; whether all is as it should be."""
    undisturbed = whole.run(node)
    if not any(event["event"] == "step" for event in undisturbed):
        sys.exit(f"{node} trains nothing that could be killed, or was there already")
    ran = next(event for event in undisturbed if event["event"] == "node_ran")
    resumed, lives, damaged = [], 0, []
    for number in range(options.kills):
        # Lives go on where the last ended: short ones, so that ten of them fit into the training.
        after = moments.uniform(0.0, 2 * ran["seconds"] / (options.kills + 1))
        whom = moments.choice(["worker", "engine", "both"])
        events, ended = life(broken, node, after, whom)
        steps = [event["step"] for event in events if event["event"] == "step"]
        resumed += [event["step"] for event in events if event["event"] == "resumed"]
        lives += 1
        # A worker whose engine was killed writes one more by itself; what it is about to replace must not be damaged.
        if not ended and whom != "engine" and moments.random() < options.damage and broken.damage(moments):
            damaged.append(number + 1)
        print(f"  {node}: kill {number + 1} of the {whom} after {after:.3f} s, {steps[:1]} to {steps[-1:]}", flush=True)
        if ended:
            break
    resumed += [event["step"] for event in broken.run(node) if event["event"] == "resumed"]
    same = whole.digest(node) == broken.digest(node)
    forward = bool(damaged) or all(1 <= a <= b for a, b in zip(resumed, resumed[1:]))
    flips = f", a bit flipped after {damaged}" if damaged else ""
    print(f"{node}: {lives} lives killed{flips}, resumed after steps {resumed}: {'the same' if same else 'ANOTHER'} artifact")
    return same and forward and bool(resumed)


def main():
    options, passed = arguments()
    print(f"--seed {options.seed}")
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = options.store or pathlib.Path(folder)
        whole, broken = Store(options, passed, folder / "whole"), Store(options, passed, folder / "broken")
        well = True
        for node in options.nodes:
            whole.needs(node)
            shutil.copytree(whole.path, broken.path, dirs_exist_ok=True)
            well &= check(node, whole, broken, options, moments)
    sys.exit(0 if well else "not all is as it should be")


if __name__ == "__main__":
    main()
