"""What must hold when nothing disturbs: runs succeed, artifacts are right, the store is clean."""

import hashlib
import json
import os
import pathlib
import shutil

from torture.recipes import Tree
from torture.scene import Fault, listed

# So many runs make an artifact anew whose damage only a reading of it tells.
ATTEMPTS = 12


def check(scene, random):
    """A clean run of every pipeline, and every artifact held to the evaluation."""
    scene.write_truth()
    for attempt in range(ATTEMPTS):
        if export_all(scene, random, run_all(scene)):
            break
        if attempt + 1 == ATTEMPTS:
            raise Fault(f"artifacts stay altered after {ATTEMPTS} runs; damaged was {dict(scene.dirt)}")
    expect_cached(scene, "right after a clean run")


def run_all(scene):
    """Every pipeline to its end: the artifact that the engine has for each (pipeline, node)."""
    yielded, before = {}, set((scene.store / "tmp").glob("*"))
    for pipeline in scene.project.pipelines:
        code, out, said = scene.flow("run", pipeline.path, "--json")
        if code != 0 and scene.dirt["hard"]:
            repair(scene)
            code, out, said = scene.flow("run", pipeline.path, "--json")
        events = [json.loads(line) for line in out.splitlines()]
        if code != 0:
            failed = [f"{event['node']}: {event['message']}" for event in events if event["event"] == "node_failed"]
            raise Fault(f"a clean run of {pipeline.path} ended with {code}: {failed} {said}; damaged was {dict(scene.dirt)}")
        yielded.update({(pipeline.path, event["node"]): event["artifact"] for event in events if "artifact" in event})
        scene.count("runs", "clean")
    if left := set((scene.store / "tmp").glob("*")) - before:
        raise Fault(f"a clean run leaves {sorted(map(str, left))}")
    return yielded


def expect_cached(scene, when):
    if scene.dirt["sly"]:
        return
    for pipeline in scene.project.pipelines:
        planned = scene.json("plan", pipeline.path)
        runs = {node["name"]: node.get("reason") for node in planned["nodes"] if node["state"] != "cached"}
        if runs:
            raise Fault(f"{when}, of {pipeline.path} would run {runs}")


def repair(scene):
    """`verify` finds nothing after one that repairs, and nothing at all where nothing was damaged."""
    damaged = scene.dirty()
    code, out, said = scene.flow("cache", "verify", "--json")
    if not damaged and code != 0:
        raise Fault(f"nothing was damaged, and verify ended with {code}: {out[-2000:]} {said}")
    if code == 0 and not scene.dirt["hard"]:
        scene.dirt.clear()
        return
    repaired = scene.flow("cache", "verify", "--repair")
    again = scene.flow("cache", "verify")
    if (repaired[0], again[0]) != (0, 0):
        raise Fault(f"verify --repair does not mend: {repaired}, then {again}; damaged was {dict(scene.dirt)}")
    scene.dirt.clear()


def export_all(scene, random, yielded):
    """Every node's artifact held to the evaluation; False if one turned out to be damaged when it was read.

    An artifact whose content was compared once is known by its digest from then on, and exported again only by chance."""
    whole = True
    for pipeline in scene.project.pipelines:
        for name, expected in scene.project.evaluate(pipeline).items():
            artifact, by_chance = yielded[pipeline.path, name], random.random() < scene.options.exports
            if scene.known.get(expected.digest()) == artifact and not by_chance:
                scene.count("artifacts", "known by digest")
            elif export(scene, random, pipeline, name, expected):
                scene.known[expected.digest()] = artifact
                scene.count("artifacts", "compared")
            else:
                whole = False
    return whole


def destination(scene, pipeline, name):
    return scene.exports / hashlib.sha256(f"{pipeline.path}\n{pipeline.name}\n{name}".encode()).hexdigest()[:12]


def export(scene, random, pipeline, name, expected):
    """False if the artifact turned out to be damaged."""
    dest = destination(scene, pipeline, name)
    if random.random() < 0.1 and scene.allows("user-edits"):
        edit_export(scene, random, dest)
    mine = scene.of_users[dest]
    code, said = export_once(scene, pipeline.path, name, str(dest))
    if code in (2, 3) and scene.dirt["sly"] and ("altered" in said or "has no artifact in the store" in said):
        return False
    lost = [path for path, content in mine.items() if not (dest / path).is_file() or (dest / path).read_bytes() != content]
    if lost:
        raise Fault(f"export of {name} overwrote {lost} in {dest}, which a user had written")
    if code == 2 and (mine or scene.ledgers_lost):
        scene.count("exports", "refused")
        code, said = export_once(scene, pipeline.path, name, str(dest), "--force")
        for path in [path for path in mine if path in expected.files]:
            del mine[path]
    if code != 0:
        raise Fault(f"export of {name} of {pipeline.path} ended with {code}: {said}; damaged was {dict(scene.dirt)}")
    for path in [path for path in mine if path in expected.files]:
        # Left alone, and told.
        scene.flow("export", pipeline.path, name, str(dest), "--force")
        del mine[path]
    compare(scene, name, dest, expected, mine)
    return True


def export_once(scene, *words):
    """What is in the way of the note on an export is named, and mended as is said."""
    code, _, said = scene.flow("export", *words)
    if code == 3 and scene.dirty() and "where a file belongs" in " ".join(said.split()):
        repair(scene)
        code, _, said = scene.flow("export", *words)
    return code, said


def edit_export(scene, random, dest):
    """A user edits an exported file, removes one, or adds one."""
    files = sorted(str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file()) if dest.exists() else []
    if not files:
        return
    path, what = random.choice(files), random.choice(("edit", "remove", "add"))
    if what == "remove" and path not in scene.of_users[dest]:
        (dest / path).unlink()
    elif what == "edit":
        scene.of_users[dest][path] = f"a user's {scene.commands}\n".encode()
        (dest / path).write_bytes(scene.of_users[dest][path])
    else:
        scene.of_users[dest]["of a user"] = b"mine\n"
        (dest / "of a user").write_bytes(b"mine\n")
    scene.say(f"a user: {what} {dest / path}")
    scene.count("edits", f"export: {what}")


def compare(scene, name, dest, expected, mine):
    """Holds a directory to a tree."""
    there = tree_of(dest)
    files = {path: found for path, found in there.files.items() if path not in mine}
    wrong = {path for path in {*files, *expected.files} if files.get(path) != expected.files.get(path)}
    extra = {str(parent) for path in mine for parent in pathlib.PurePath(path).parents}
    wanted, directories = expected.directories() - extra, there.directories() - extra
    if wrong or directories != wanted:
        told = scene.folder / "expected" / name.replace("/", "-")
        write(told, expected)
        strange = sorted(directories ^ wanted)
        raise Fault(f"the artifact of {name} is wrong in files {sorted(wrong)}, directories {strange}: diff -r {dest} {told}")


def tree_of(dest):
    files, hollow = {}, set()
    for folder, folders, names in os.walk(dest):
        rel = os.path.relpath(folder, dest)
        for path in [pathlib.Path(folder, name) for name in names]:
            files[str(path.relative_to(dest))] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        if not folders and not names and rel != ".":
            hollow.add(rel)
    return Tree(files, frozenset(hollow))


def write(folder, tree):
    shutil.rmtree(folder, ignore_errors=True)
    for path in tree.hollow:
        (folder / path).mkdir(parents=True, exist_ok=True)
    for path, (content, executable) in tree.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        (folder / path).chmod(0o755 if executable else 0o644)


def collect(scene, random, *words, keeps=False):
    """`cache gc` with random options. Where it `keeps` what was just run, that is cached afterwards."""
    words = ["--keep-days", str(random.choice((0, 0, 1, 30))), *words]
    if random.random() < 0.3:
        words += ["--max-size", random.choice(("0", "1MiB", "100MiB"))]
    days = random.choice((0, 0, 0, 400, -400)) if scene.options.clock else 0
    if random.random() < 0.3 and keeps:
        expect_nothing_touched(scene, words)
    there = scene.store.exists()
    code, _, said = scene.flow("cache", "gc", *words, days=days)
    if not there and code == 2 and "there is no store" in said:
        return
    if code != 0 and not (code == 3 and "in use by" in said) and not scene.dirty():
        raise Fault(f"gc ended with {code}: {said}")
    scene.count("gcs", "done" if code == 0 else "refused")
    if keeps and code == 0 and not scene.dirty():
        expect_cached(scene, f"after `cache gc {' '.join(words)}`{f' with a clock moved by {days} days' if days else ''}")


def expect_nothing_touched(scene, words):
    before = listed(scene.store)
    scene.flow("cache", "gc", *words, "--dry-run")
    after = listed(scene.store)
    touched = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    touched = [path for path in touched if path.split("/")[0] not in ("locks", "index")]
    if touched:
        raise Fault(f"`cache gc {' '.join(words)} --dry-run` touched {touched}")


def check_end(scene):
    """Nothing is left that has no purpose."""
    scene.settle()
    repair(scene)
    run_all(scene)
    expect_cached(scene, "at the end")
    if scene.flow("cache", "gc")[0] != 0:
        raise Fault("gc at the end failed")
    expect_cached(scene, "after gc at the end")
    if scene.flow("cache", "verify")[0] != 0:
        raise Fault("verify at the end found something")
    left = [str(path) for area in ("tmp", "scratch") for path in (scene.store / area).glob("*")]
    left += [str(path) for path in (scene.store / "locks").glob("?" * 64)]
    left += [str(path) for path in scene.home.iterdir()]
    left += [str(path) for path in scene.exports.rglob(".export-*")]
    if left:
        raise Fault(f"left over at the end: {left}")
