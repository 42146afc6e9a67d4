"""One project with its store, and the commands that are run on it."""

import collections
import json
import pathlib
import shutil
import time

from torture.processes import Engine, environment, group_of, of_homes, send, words_of
from torture.project import Project

# Only a hang takes so long.
PATIENCE = 300


class Fault(Exception):
    """Something that must never be."""


class Scene:
    """A project, its store and exports, and what happened to them."""

    def __init__(self, options, folder, random, tally):
        self.options, self.folder, self.tally = options, folder, tally
        self.home, self.logs, self.exports = folder / "home", folder / "logs", folder / "exports"
        for path in (folder, self.home, self.logs, self.exports):
            path.mkdir()
        self.transcript = open(folder / "transcript.txt", "w", buffering=1)
        self.began, self.commands = time.monotonic(), 0
        # What was damaged since all was well: what a run heals by itself, what an export finds, what wants a repair.
        self.dirt = collections.defaultdict(list)
        self.engines = {}
        # What users have put into exported directories: destination → path → content.
        self.of_users = collections.defaultdict(dict)
        self.ledgers_lost = False
        # How often anything was damaged; and the pins: name → how often that was when it was pinned, and its content.
        self.injuries, self.pins = 0, {}
        # The digest by which the engine knows a content that was compared.
        self.known = {}
        self.project = Project(folder / "project", random, self.allows)
        self.say(f"{len(self.project.pipelines)} pipelines with {[len(p.nodes) for p in self.project.pipelines]} nodes")

    @property
    def store(self):
        return self.project.root / ".hyper-flow"

    def allows(self, what):
        return what not in self.options.without

    def say(self, words):
        line = f"{time.monotonic() - self.began:8.3f}  {words}"
        self.transcript.write(line + "\n")
        if self.options.verbose:
            print(line, flush=True)

    def count(self, what, kind):
        self.tally[what][kind] += 1

    def start(self, *words, days=0):
        """Starts a command of the engine in the project's folder."""
        self.commands += 1
        name = f"{self.commands:04}-{words[0]}"
        moved = f" (its clock moved by {days} days)" if days else ""
        self.say(f"[{name}] hyper-flow {' '.join(words)}{moved}")
        variables = environment(self.home / name, self.project.word, days)
        self.engines[name] = Engine([str(self.options.binary), *words], self.project.root, variables, self.logs, name)
        return self.engines[name]

    def end(self, engine, seconds=PATIENCE):
        """Its exit code, when it ended in one of the ways that are allowed."""
        code = engine.wait(seconds)
        if code is None:
            running = [f"{pid} of [{name}]: {words_of(pid)}" for pid, name in of_homes(self.home).items()]
            raise Fault(f"[{engine.name}] hangs; running are {running}")
        self.say(f"[{engine.name}] ended with {code}")
        signalled = code < 0 and -code in engine.sent
        if not signalled and (code not in (0, 1, 2, 3, 130) or "panicked" in engine.said()):
            raise Fault(f"[{engine.name}] ended with {code}: {engine.said()}")
        return code

    def flow(self, *words, days=0):
        """Runs a command to its end: its exit code, what it printed, and what it said of errors."""
        engine = self.start(*words, days=days)
        code = self.end(engine)
        return code, engine.out.read_text(errors="replace"), engine.said()

    def json(self, *words):
        code, out, said = self.flow(*words, "--json")
        if code != 0:
            raise Fault(f"`{' '.join(words)}` ended with {code}: {said}")
        return json.loads(out)

    def dirty(self):
        return any(self.dirt.values())

    def soil(self, found):
        """Notes a damage."""
        if found:
            kind, hard, words = found
            self.say(f"damage: {kind} {words}")
            self.count("damages", kind)
            self.injuries += 1
            sly = kind in ("objects: sly flip", "objects: exchange")
            self.dirt["hard" if hard else "sly" if sly else "soft"].append(f"{kind} {words}")
            # Without its ledger an export cannot know what it put there.
            self.ledgers_lost |= kind.startswith("exports")

    def write_truth(self):
        """The disk says what the model does."""
        self.project.spoilt.clear()
        self.project.write_all()

    def settle(self):
        """Waits for what killed engines have left; ends what has nobody to end it."""
        end = time.monotonic() + 20
        guarded = lambda: {pid: name for pid, name in of_homes(self.home).items() if not self.engines[name].unguarded}
        while guarded() and time.monotonic() < end:
            time.sleep(0.02)
        orphans = collections.defaultdict(set)
        for pid, name in guarded().items():
            orphans[name].add(group_of(pid))
            self.say(f"{pid} of [{name}] is still there: {words_of(pid)}")
        for name, groups in orphans.items():
            # A process that was being started when its engine was killed is known to nobody.
            if len(groups) > 1 or self.engines[name].process.returncode >= 0:
                raise Fault(f"[{name}] has ended, and what it started has not: look for it in the transcript")
            self.count("orphans", "started when the engine was killed")
        for pid in of_homes(self.home):
            send(pid, 9)
        while of_homes(self.home):
            time.sleep(0.02)

    def forget(self):
        """Removes a scene that went well."""
        self.transcript.close()
        shutil.rmtree(self.folder)


def listed(folder):
    """Everything in a folder, by relative path: for a look at what is not to be touched."""
    folder = pathlib.Path(folder)
    found = {}
    for path in folder.rglob("*"):
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        found[str(path.relative_to(folder))] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found
