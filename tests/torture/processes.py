"""Engines as processes, and what they start."""

import os
import pathlib
import signal
import subprocess
import time

CLOCKS = [pathlib.Path(folder, "faketime/libfaketime.so.1") for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")]


def clock():
    """The library that moves a program's clock, if it is installed."""
    return next((path for path in CLOCKS if path.exists()), None)


def environment(home, word, days=0):
    """What an engine sees. Whatever it starts inherits the home, by which it is found."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "TORTURE_WORD": word, "RUST_BACKTRACE": "1"}
    if days:
        # The stamps of files are those of the kernel, which nobody moves.
        moved = {"LD_PRELOAD": str(clock()), "FAKETIME": f"{days:+d}d", "NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        variables.update(moved)
    return variables


def of_home(home):
    """Every living process that was started from an engine with this home, but for this one."""
    mark, found = f"HOME={home}".encode(), []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            if pid != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:
            pass
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


def wait_for_none(home, seconds):
    """The processes that are still there after so long."""
    end = time.monotonic() + seconds
    while (left := of_home(home)) and time.monotonic() < end:
        time.sleep(0.02)
    return left


class Engine:
    """A command of the engine, running."""

    def __init__(self, command, folder, variables, logs, name):
        self.command, self.name = command, name
        self.out, self.err = logs / f"{name}.out", logs / f"{name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        self.home = variables["HOME"]
        self.sent = []

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
