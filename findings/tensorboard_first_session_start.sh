#!/usr/bin/env bash
# tensorboard 2.20.0, a training that was killed after step 6 and gone on with after step 3, in a second event file.
#
# Guess: a second file that begins with SessionLog.START at step 4 (torch's SummaryWriter(purge_step=4)) takes the place of what
# the first has from there on, in each of TensorBoard's two loaders.
# Seen: the data server (the default) does so without any mark: what comes later takes the place of what has its step or a later
# one. The older loader (--load_fast=false) heeds no other mark than START, and of those all but the first that it meets: where
# the first file has none, the mark in the second is taken for the first, and the curve zigzags (1 to 6, then 4 to 9). It is
# one curve in both only if the first file begins with START too, which torch's SummaryWriter does not write there.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "tensorboard==2.20.0" "setuptools==80.9.0"
cat >"$dir/run.py" <<'PY'
import json, pathlib, re, subprocess, sys, time, urllib.request
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

folder = pathlib.Path(sys.argv[1], "logs")

def write(path, mark, steps):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        events = [Event(wall_time=1, file_version="brain.Event:2")]
        if mark is not None:
            events.append(Event(wall_time=1, step=mark, session_log=SessionLog(status=SessionLog.START)))
        events += [Event(wall_time=1, step=step, summary=Summary(value=[Summary.Value(tag="loss", simple_value=step)])) for step in steps]
        for event in events:
            RecordWriter(file).write(event.SerializeToString())

for name, marks in [("none", (None, None)), ("second", (None, 4)), ("both", (0, 4))]:
    write(folder / name / "events.out.tfevents.1", marks[0], range(1, 7))
    write(folder / name / "events.out.tfevents.2", marks[1], range(4, 10))

def ask(address, path):
    with urllib.request.urlopen(f"{address}/data/plugin/scalars/{path}") as answer:
        return json.load(answer)

for mode in ["true", "false"]:
    command = [sys.argv[1] + "/venv/bin/tensorboard", "--logdir", folder, "--port", "0", "--host", "127.0.0.1", f"--load_fast={mode}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = next(found.group(1) for line in process.stderr if (found := re.search(r"(http://\S+:\d+)/", line)))
        while len(ask(address, "tags")) < 3:
            time.sleep(0.2)
        time.sleep(2)
        for name in ["none", "second", "both"]:
            steps = [step for _, step, _ in ask(address, f"scalars?run={name}&tag=loss")]
            print(f"load_fast={mode}, marks: {name:6}", *steps)
        process.kill()
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir" 2>/dev/null | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
load_fast=true, marks: none   1 2 3 4 5 6 7 8 9
load_fast=true, marks: second 1 2 3 4 5 6 7 8 9
load_fast=true, marks: both   1 2 3 4 5 6 7 8 9
load_fast=false, marks: none   1 2 3 4 5 6 4 5 6 7 8 9
load_fast=false, marks: second 1 2 3 4 5 6 4 5 6 7 8 9
load_fast=false, marks: both   1 2 3 4 5 6 7 8 9
SEEN
