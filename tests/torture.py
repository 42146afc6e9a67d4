"""Attacks an engine and its store at random, and holds what it yields to an evaluation of its own.

  python3 tests/torture.py --seconds 120
  python3 tests/torture.py --seconds 3600 --seed 7 --binary target/release/hyper-flow
  python3 tests/torture.py --seed 7 --scene 3

A scene is a project of random pipelines with a store. In each of its rounds the project is edited, one or two engines are
disturbed and killed, the store is damaged and collected; then a clean run must succeed, and every artifact that is exported
must be what Python makes of the same nodes. At the end of a scene `cache verify` must be clean and nothing may be left over.

Every choice comes from the seed and the scene. When something is wrong, the scene's folder stays, with a transcript.
"""

import argparse
import collections
import pathlib
import random as randomness
import shutil
import sys
import tempfile
import time

# What is run here leaves nothing in the folder that it came from.
sys.dont_write_bytecode = True

from torture import bouts, checks, pins
from torture.damage import damage
from torture.edits import edit
from torture.processes import clock, of_homes, send
from torture.scene import Fault, Scene

ROOT = pathlib.Path(__file__).resolve().parents[1]
# What can be left out, to look behind a fault.
KINDS = (
    *("broken", "vandal", "escape", "hollow", "flicker", "edits-while-running", "kills-of-children", "freeze", "looks"),
    *("rm", "pins", "clock", "gc", "moves", "copies", "project-moves", "user-edits", "killed-exports"),
    *("damage", "damage-while-running", "hard-damage", "damage by sly flip", "damage by mode"),
)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="no new round begins after that")
    parser.add_argument("--seed", type=int, default=randomness.SystemRandom().randrange(1 << 32))
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/debug/hyper-flow")
    parser.add_argument("--scene", type=int, default=1, help="the scene to begin with")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of a scene")
    parser.add_argument("--exports", type=float, default=0.03, help="share of the known artifacts that are compared again")
    parser.add_argument("--without", action="append", default=[], metavar="WHAT", help=f"leave out: {', '.join(KINDS)}")
    parser.add_argument("--folder", type=pathlib.Path, help="where the scenes are [default: a temporary folder]")
    parser.add_argument("--verbose", action="store_true", help="print the transcript while it is written")
    options = parser.parse_args()
    if unknown := set(options.without) - set(KINDS):
        parser.error(f"--without {unknown}: there is none of {', '.join(KINDS)}")
    options.binary = options.binary.resolve()
    options.clock = clock() if "clock" not in options.without else None
    return options


def play(scene, seed, number, until):
    """The rounds of one scene, and its end."""
    for count in range(1, scene.options.rounds + 1):
        if time.monotonic() > until:
            break
        scene.say(f"round {count}")
        play_round(scene, randomness.Random(f"{seed}/{number}/{count}"))
        scene.count("rounds", "played")
    checks.check_end(scene)


def play_round(scene, random):
    for _ in range(random.randint(1, 4)):
        bouts.change(scene, random)
    if random.random() < 0.2 and scene.allows("gc"):
        checks.collect(scene, random, "--all")
    for _ in range(random.randint(1, 4)):
        random.choice(bouts.BOUTS)(scene, random)
    if random.random() < 0.5:
        scene.settle()
    for _ in range(random.choice((0, 0, 1, 2, 5)) if scene.allows("damage") else 0):
        scene.soil(damage(scene.store, random, scene.allows))
    checks.check(scene, random)
    scene.settle()
    pins.check_pins(scene, random)
    if random.random() < 0.2 and scene.allows("pins"):
        pins.pin(scene, random)
    if random.random() < (0.6 if scene.dirty() else 0.2):
        checks.repair(scene)
        checks.check(scene, random)
    if random.random() < 0.2 and scene.allows("project-moves"):
        move(scene)
    if random.random() < 0.4 and scene.allows("gc"):
        checks.collect(scene, random, keeps=True)


def move(scene):
    """The project's folder gets another name, and takes its store along."""
    new = scene.folder / f"project-{scene.commands}"
    scene.project.root = scene.project.root.rename(new)
    scene.say(f"the project is now {new}")
    scene.count("edits", "move of the project")


def report(tally):
    for what, kinds in tally.items():
        whole = sum(kinds.values())
        print(f"  {whole:6} {what}: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))


def tell(scene, options, seed, number, fault):
    lines = (scene.folder / "transcript.txt").read_text().splitlines()
    print("\n".join(lines[-40:]))
    print(f"\nFAULT: {fault}\n")
    print(f"Again: python3 tests/torture.py --seed {seed} --scene {number} --seconds 600 --binary {options.binary}")
    print(f"Look:  less {scene.folder}/transcript.txt; ls {scene.logs}  # what each command printed")
    command = f"TORTURE_WORD={scene.project.word} {options.binary} plan {scene.project.pipelines[0].path}"
    print(f"       cd {scene.project.root} && {command}")


def main():
    options = arguments()
    print(f"--seed {options.seed}", flush=True)
    if not options.clock:
        print("NO CLOCK IS MOVED: `faketime` is not installed, or left out", flush=True)
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(exist_ok=True)
    tally = collections.defaultdict(collections.Counter)
    until, number, failed = time.monotonic() + options.seconds, options.scene, False
    while not failed and time.monotonic() < until:
        random = randomness.Random(f"{options.seed}/{number}")
        scene = Scene(options, folder / f"scene-{number}", random, tally)
        try:
            play(scene, options.seed, number, until)
            scene.forget()
        except Fault as fault:
            tell(scene, options, options.seed, number, fault)
            failed = True
        finally:
            for pid in of_homes(scene.home):
                send(pid, 9)
        tally["scenes"]["played"] += 1
        number += 1
    report(tally)
    if not failed:
        shutil.rmtree(folder)
    # As cargo says it of a test.
    print(f"\ntest result: {'FAILED. 0 passed; 1' if failed else 'ok. 1 passed; 0'} failed; 0 ignored", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
