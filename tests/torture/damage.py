"""Damage to the files of a store, as bad disks, careless people and wrong programs do it."""

import os
import pathlib
import shutil

AREAS = (
    *("objects", "objects", "objects", "trees", "records", "preimages", "index", "locks"),
    *("runs", "memos", "exports", "exports", "version", "version", "other"),
)
OF_CONTENT = ("flip", "sly flip", "truncate", "empty", "append")
OF_FILES = (*OF_CONTENT, "delete", "directory", "mode", "mtime", "exchange", "dangling link")


def damage(store, random, allows, running=False):
    """Damages one thing at random: the kind, whether no run alone can heal it, and which thing; None if there is none.

    What is hard to heal is named by every command, and mended by `cache verify --repair`."""
    area = random.choice(AREAS)
    # Of which one and how, as many choices are made whatever is there.
    which, kind, hard, amount = random.random(), random.choice(OF_FILES), random.random() < 0.08, random.random()
    if running and area in ("locks", "version", "other"):
        # Who removes locks that are held takes the store apart; no program can help that.
        return None
    if hard and allows("hard-damage") and not running:
        return in_place_of_a_directory(store, area, which)
    path = pick(files(store, area), which)
    if path is None or (kind in ("sly flip", "mode") and not allows(f"damage by {kind}")):
        return None
    if (area in ("version", "other", "locks") or kind in ("directory", "dangling link")) and not allows("hard-damage"):
        return None
    if area == "version" and "flip" in kind:
        # It could become the version of another format, which is to be refused for good.
        return None
    if not spoil(path, kind, amount, pick(files(store, area), amount)):
        return None
    return f"{area}: {kind}", area == "version", str(path.relative_to(store))


def files(store, area):
    if area == "version":
        return [path for path in (store / "version",) if path.is_file()]
    if area == "other":
        return [path for path in (store / ".gitignore", store / "CACHEDIR.TAG") if path.is_file()]
    found = []
    for folder, _, names in os.walk(store / area):
        found += [pathlib.Path(folder, name) for name in names if not name.endswith(".aside")]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def pick(paths, which):
    return paths[int(which * len(paths))] if paths else None


def spoil(path, kind, amount, other):
    """Whether that could be done to a file: what is running may remove it first."""
    try:
        before = path.stat()
        path.chmod(0o644)
        alter(path, kind, amount, other, before)
        if path.is_file() and kind not in ("mode", "exchange", "dangling link"):
            path.chmod(before.st_mode & 0o777)
        if kind == "sly flip":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return kind not in ("flip", "sly flip", "truncate", "empty") or before.st_size > 0
    except FileNotFoundError:
        return False


def alter(path, kind, amount, other, before):
    at = int(amount * before.st_size)
    match kind:
        case "flip" | "sly flip" if before.st_size > 0:
            with open(path, "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ (1 << int(amount * 8) % 8)]))
        case "truncate":
            os.truncate(path, at)
        case "empty":
            os.truncate(path, 0)
        case "append":
            with open(path, "ab") as file:
                file.write(b"\0\xff more\n")
        case "delete":
            path.unlink()
        case "directory":
            path.unlink()
            path.mkdir()
            if amount < 0.5:
                (path / "inside").write_text("not what belongs here\n")
        case "mode":
            path.chmod((0o000, 0o777, 0o200)[int(amount * 3)])
        case "mtime":
            os.utime(path, (amount * 4e9, amount * 4e9))
        case "exchange" if other != path:
            aside = path.with_name(path.name + ".aside")
            os.rename(path, aside)
            os.rename(other, path)
            os.rename(aside, other)
        case "dangling link":
            path.unlink()
            path.symlink_to("nowhere")


def in_place_of_a_directory(store, area, which):
    """A file where a directory belongs."""
    top = store / area
    folders = [path for path in (top, *sorted(top.glob("*"))) if path.is_dir() and area not in ("version", "other")]
    path = pick(folders, which)
    if path is None:
        return None
    shutil.rmtree(path)
    path.write_text("not what belongs here\n")
    return f"{area}: a file for a directory", True, str(path.relative_to(store))
