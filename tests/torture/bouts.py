"""Engines at work, and what happens to them meanwhile."""

import signal
import time

from torture import checks
from torture.damage import damage
from torture.edits import edit, overwrite
from torture.processes import SIGNALS, await_names, send, words_of
from torture.project import VARIANTS
from torture.recipes import MISBEHAVIOURS, Tree
from torture.scene import Fault

ENDINGS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP", "SIGINT twice", "none")


def mixed(scene, random):
    """One or two engines that are disturbed in several ways, then stopped somehow, and perhaps a collection."""
    engines = [start(scene, random) for _ in range(random.choice((1, 1, 2)))]
    length = random.choice((0.05, 0.3, 1.0, 3.0)) * random.random()
    began = time.monotonic()
    doings = [disturb for disturb, kind in DISTURBANCES if scene.allows(kind)]
    some = range(random.randint(0, 4))
    plan = [(random.random() * length, random.choice(doings), random.getrandbits(32)) for _ in some]
    for moment, disturbance, number in sorted(plan, key=lambda planned: planned[0]):
        pause(began + moment - time.monotonic())
        disturbance(scene, type(random)(number), random.choice(engines))
    pause(began + length - time.monotonic())
    collects, at_once = random.random() < 0.25 and scene.allows("gc"), random.random() < 0.5
    for engine in engines:
        stop(scene, engine, random.choice(ENDINGS))
    if collects and at_once:
        checks.collect(scene, random)
    over(scene, engines)
    if collects and not at_once:
        checks.collect(scene, random)


def hunted(scene, random):
    """Lives that are killed one after the other; what each leaves is looked at, or found by the next."""
    afresh(scene, random)
    for _ in range(random.randint(3, 8)):
        engine = start(scene, random)
        seconds, area = random.random() ** 2 * 0.7, random.choice(("objects", "trees", "records", "records", None))
        if area and scene.store.exists():
            # In the middle of a publication.
            await_names(scene.store / area, random.randint(1, 6), engine.runs)
            stop(scene, engine, "SIGKILL")
        else:
            pause(seconds)
            kill_child(scene, random, engine) if random.random() < 0.3 else None
            stop(scene, engine, random.choice(("SIGKILL", "SIGTERM", "SIGUSR1")))
        over(scene, [engine])
        if random.random() < 0.7:
            verify(scene)


def shimmering(scene, random):
    """Sources that change and change back as long as an engine runs."""
    afresh(scene, random)
    engines = [start(scene, random) for _ in range(random.choice((1, 1, 2)))]
    for _ in range(20):
        if scene.allows("flicker") and any(engine.runs() for engine in engines):
            flicker(scene, random)
    over(scene, engines)


def misled(scene, random):
    """Nodes that do what they must not, beside others that read the same."""
    afresh(scene, random)
    pipeline = misbehave(scene, random)
    over(scene, [start(scene, random, pipeline), *(start(scene, random) for _ in range(random.choice((0, 1))))])


def afresh(scene, random):
    """Mostly from nothing, so that there is something to do."""
    if random.random() < 0.6 and scene.allows("gc"):
        checks.collect(scene, random, "--all")


BOUTS = (mixed, mixed, hunted, hunted, shimmering, misled, misled)


def over(scene, engines):
    """Waits for their ends."""
    for engine in engines:
        code = scene.end(engine)
        scene.count("runs", f"disturbed, exit code {code}")
        if code == 3 and not scene.dirty():
            raise Fault(f"[{engine.name}] says that the store failed: {engine.said()}")


def pause(seconds):
    time.sleep(max(0, seconds))


def start(scene, random, pipeline=None):
    """A run with random options."""
    pipeline = pipeline or random.choice(scene.project.pipelines)
    words = ["run", pipeline.path]
    if random.random() < 0.2:
        words += random.sample(sorted(pipeline.nodes), min(2, len(pipeline.nodes)))
    words += random.choice((["--json"], ["--quiet"], []))
    words += ["--keep-going"] if random.random() < 0.5 else []
    words += ["--threads", str(random.choice((1, 2, 4, 8)))]
    words += ["--grace", str(random.choice((0, 1, 2)))]
    words += ["--paranoid"] if random.random() < 0.1 else []
    if random.random() < 0.1:
        words += ["--force", random.choice(sorted(pipeline.nodes))]
    if random.random() < 0.15:
        name = random.choice(sorted(pipeline.parameters))
        words += ["--set", f'params.{name}="{random.choice(("v1", "v3", "broken"))}"']
    days = random.choice((400, -400, 1)) if scene.options.clock and random.random() < 0.15 else 0
    scene.count("runs", "with a moved clock" if days else "with the right clock")
    return scene.start(*words, days=days)


def stop(scene, engine, ending):
    if ending == "none" or not engine.runs():
        return
    number = SIGNALS[ending.split()[0]]
    for _ in range(2 if "twice" in ending else 1):
        scene.say(f"{ending} to [{engine.name}]")
        engine.send(number)
        scene.count("kills", ending.split()[0])


# What happens while an engine runs.


def flicker(scene, random, _=None):
    """A source is another one for a moment: `git checkout other`, `git checkout -`."""
    name = random.choice(sorted(scene.project.sources))
    source, path = scene.project.sources[name], scene.project.root / name
    if isinstance(source, Tree):
        inside = random.choice(sorted(source.files))
        source, path = source.files[inside][0], path / inside
    seconds = random.random() ** 2 * 0.5
    way = overwrite(path, scene.project.made(name, random.randrange(VARIANTS)), random)
    time.sleep(seconds)
    overwrite(path, source, random)
    scene.project.write_source(name)
    scene.say(f"{path} was another one for {seconds:.3f} s ({way})")
    scene.count("edits", "flicker")


def kill_child(scene, random, engine):
    children = engine.children()
    which = random.random()
    if children:
        pid = children[int(which * len(children))]
        words = words_of(pid)
        if send(pid, signal.SIGKILL):
            scene.say(f"SIGKILL to {pid}, a child of [{engine.name}]: {words}")
            scene.count("kills", "SIGKILL of a child")
            engine.unguarded |= " guard " in words


def freeze(scene, random, engine):
    engine.send(signal.SIGSTOP)
    time.sleep(random.random() * 0.3)
    engine.send(signal.SIGCONT)
    scene.say(f"[{engine.name}] was stopped for a while")
    scene.count("kills", "SIGSTOP and SIGCONT")


def spoil(scene, random, _):
    scene.soil(damage(scene.store, random, scene.allows, running=True))


def collect(scene, random, _):
    checks.collect(scene, random)


def change(scene, random, _=None):
    name, words = edit(scene.project, random, scene.allows)
    scene.say(f"edit: {words}")
    scene.count("edits", name)


def look(scene, random, _):
    """Commands that only look."""
    pipeline = random.choice(scene.project.pipelines)
    node = random.choice(sorted(pipeline.nodes))
    of_node = [["why", pipeline.path, node], ["log", pipeline.path, node], ["show", pipeline.path, node]]
    words = random.choice((*of_node, ["plan", pipeline.path], ["ls"], ["cache", "du"], ["cache", "rebuild"]))
    code, _, said = scene.flow(*words)
    if code == 3 and not scene.dirty() and "in use by" not in said:
        raise Fault(f"`{' '.join(words)}` says that the store failed: {said}")
    scene.count("looks", " ".join(words[:2]) if words[0] == "cache" else words[0])


def forget(scene, random, _):
    """What a node yielded is forgotten."""
    pipeline = random.choice(scene.project.pipelines)
    code, _, said = scene.flow("rm", pipeline.path, random.choice(sorted(pipeline.nodes)))
    if code == 3 and not scene.dirty() and "in use by" not in said:
        raise Fault(f"rm says that the store failed: {said}")
    scene.count("edits", "rm")


def verify(scene, *_):
    if not scene.store.exists():
        return
    code, out, said = scene.flow("cache", "verify")
    if code != 0 and not scene.dirty() and "in use by" not in said:
        raise Fault(f"nothing was damaged, and verify beside a run ended with {code}: {out} {said}")
    scene.count("looks", "cache verify")


def export(scene, random, _):
    """An export that is killed."""
    pipeline = random.choice(scene.project.pipelines)
    name = random.choice(sorted(pipeline.nodes))
    engine = scene.start("export", pipeline.path, name, str(checks.destination(scene, pipeline, name)))
    time.sleep(random.random() * 0.03)
    stop(scene, engine, "SIGKILL")
    scene.end(engine)
    scene.count("exports", "killed")


def misbehave(scene, random):
    """A parameter with which nodes fail or do what they must not, until it is mended: its pipeline."""
    pipeline = random.choice(scene.project.pipelines)
    name, value = random.choice(sorted(pipeline.parameters)), random.choice(MISBEHAVIOURS)
    if scene.allows(value):
        scene.project.spoilt[pipeline.path, name] = value
        scene.project.write_pipeline(pipeline)
        scene.say(f"{pipeline.path}: {name} = {value}")
        scene.count("edits", f"parameter {value}")
        if value != "broken":
            scene.injuries += 1
            scene.dirt["sly"].append(f"{value} in {pipeline.path}")
    return pipeline


DISTURBANCES = (
    (flicker, "flicker"),
    (flicker, "flicker"),
    (kill_child, "kills-of-children"),
    (kill_child, "kills-of-children"),
    (freeze, "freeze"),
    (spoil, "damage-while-running"),
    (collect, "gc"),
    (change, "edits-while-running"),
    (forget, "rm"),
    (look, "looks"),
    (verify, "looks"),
    (export, "killed-exports"),
)
