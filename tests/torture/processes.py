"""Engines as processes, and what they start."""

import ctypes
import os
import pathlib
import select
import signal
import struct
import subprocess
import time

LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")
CLOCKS = [pathlib.Path(folder, "faketime/libfaketime.so.1") for folder in LIBRARIES]


def clock():
    """The library that moves a program's clock, if it is installed."""
    return next((path for path in CLOCKS if path.exists()), None)


def environment(home, word, days=0):
    """What an engine sees. Whatever it starts inherits the home, which no other engine has, and by which it is found."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "TORTURE_WORD": word, "RUST_BACKTRACE": "1"}
    if days:
        # The stamps of files are those of the kernel, which nobody moves.
        variables.update({"LD_PRELOAD": str(clock()), "FAKETIME": f"{days:+d}d"})
        variables.update({"NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    return variables


def of_homes(folder_of_homes):
    """Every living process of the engines whose homes are in this folder: its id and the home's name."""
    mark, found = f"HOME={folder_of_homes}/".encode(), {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        homes = [variable[len(mark) :].decode() for variable in variables if variable.startswith(mark)]
        found.update({int(folder.name): name for name in homes})
    return found


def words_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return "gone"


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def await_names(folder, count, goes_on):
    """Comes back at the moment when so many names have come into a folder or the folders in it, or nothing goes on."""
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    created_or_moved_in = 0x100 | 0x80
    for path in [folder, *folder.glob("*")]:
        libc.inotify_add_watch(watch, os.fsencode(path), created_or_moved_in)
    while count > 0 and goes_on():
        events, at = os.read(watch, 1 << 16) if select.select([watch], [], [], 0.05)[0] else b"", 0
        while at < len(events):
            at += 16 + struct.unpack_from("iIII", events, at)[3]
            count -= 1
    os.close(watch)


class Engine:
    """A command of the engine, running."""

    def __init__(self, command, folder, variables, logs, name):
        self.command, self.name = command, name
        self.out, self.err = logs / f"{name}.out", logs / f"{name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        self.sent = []
        # Whether the shell was killed that ends what a killed engine leaves.
        self.unguarded = False

    @property
    def pid(self):
        return self.process.pid

    def runs(self):
        return self.process.poll() is None

    def send(self, number):
        self.sent.append(number)
        if self.runs():
            send(self.pid, number)

    def children(self):
        """All below it, the guard too, in a steady order."""
        found, open_ = [], [self.pid]
        while open_:
            pid = open_.pop()
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    below = [int(child) for child in task.read_text().split()]
                except OSError:
                    continue
                found += below
                open_ += below
        return sorted(found)

    def wait(self, seconds):
        """Its exit code; None if it hangs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def said(self):
        return self.err.read_text(errors="replace")[-3000:]


SIGNALS = {name: getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")}
