"""What TensorBoard makes of a training that was killed, stopped and gone on with: one curve, that of the runs' log.

  python3 tests/tensorboard.py
  python3 tests/tensorboard.py --engine target/release/hyper-flow --tensorboard ~/venv/bin/tensorboard

A small distillation is asked to stop, gone on with, killed (SIGKILL) some steps behind its checkpoint, so that these are told
twice, and gone on with to its end; an Eval follows. TensorBoard then reads the store as users have it read, by its data server and by its older loader
(`--load_fast=false`). In both there must be one curve of the training, of which each step comes once, in order, with the
loss that the log has; samples, histograms of the LoRA's norms, the parameters; and for each candidate of the Eval a curve
over its step counts.

Wants the binaries (`make test` builds what is taken by default), and brings TensorBoard into a temporary environment;
with `--tensorboard PATH` it takes that one.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parents[1]
TENSORBOARD = ["tensorboard==2.20.0", "setuptools==80.9.0"]
STEPS = 40
# After so many steps of its own a life of the training ends.
LIFE = 8
PIPELINE = f"""Pipeline(
    name: "curves",
    nodes: {{
        "digits": Digits(file: "{ROOT}/pipelines/data/digits.csv.gz"),
        "clip": TrainClip(data: "digits", steps: 20),
        "judge": TrainJudge(data: "digits", steps: 20, min_accuracy: 0.0),
        "teacher": TrainTeacher(data: "digits", text: "clip", prediction: V, steps: 20),
        "tscd": SegmentDistill(teacher: "teacher", data: "digits", segments: 8, distance: Mse, steps: {STEPS}, batch: 8),
        "eval": Eval(
            teacher: "teacher", data: "digits", loras: {{"student": "tscd"}}, judge: "judge", clip: "clip",
            samples: 20, reference_steps: 4, steps: [4, 1],
        ),
    }},
    settings: {{"*": (threads: 1), "tscd": (sample_every: 10)}},
)
"""


class Training:
    """The pipeline in a folder of its own."""

    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        self.store = folder / "store"
        (folder / "curves.ron").write_text(PIPELINE)

    def start(self, node, *options):
        command = [self.engine, "run", self.folder / "curves.ron", node, "--store", self.store, "--json", *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, node):
        with self.start(node) as process:
            events = [json.loads(line) for line in process.stdout]
        if process.returncode != 0:
            sys.exit(f"{node} failed: {[event for event in events if event['event'] == 'node_failed']}")

    def life(self, seconds, end):
        """A life of the training with so many seconds between checkpoints, which is ended: its first step."""
        steps = []
        with self.start("tscd", f"--set=settings.tscd.checkpoint_seconds={seconds}") as process:
            for event in map(json.loads, process.stdout):
                if event["event"] == "step" and event["node"] == "tscd":
                    steps.append(event["step"])
                if len(steps) == LIFE:
                    end(process.pid)
                    break
            process.stdout.read()
        return steps[0]

    def losses(self):
        """The loss of each step by all logs, the newest word on each, and how often steps were told."""
        told, count = {}, 0
        for log in sorted(self.store.glob("runs/*/events.jsonl")):
            for event in map(json.loads, log.read_text().splitlines()):
                if event["event"] == "step" and event["node"] == "tscd":
                    told[event["step"]] = event["losses"]
                    count += 1
        return [told[step] for step in sorted(told)], count


def kill_all(engine):
    """The worker first: told of its engine's death it would write a checkpoint."""
    children = pathlib.Path(f"/proc/{engine}/task/{engine}/children").read_text().split()
    for process in [*map(int, children), engine]:
        os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def tensorboard(program, logdir, *options):
    """What answers to paths of a TensorBoard that has read all."""
    command = [program, "--logdir", logdir, "--host", "127.0.0.1", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = []
            for line in process.stderr:
                told.append(line)
                if found := re.search(r"(http://\S+:\d+)/", line):
                    break
            else:
                sys.exit(f"TensorBoard does not start: {''.join(told)}")
            address = found.group(1)

            def ask(path, body=None, **query):
                url = f"{address}/data/{path}?{urllib.parse.urlencode(query)}"
                data = None if body is None else json.dumps(body).encode()
                request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)

            yield ask
        finally:
            process.kill()


def read_all(ask):
    """Asks until nothing more comes: the older loader reads beside what it answers."""
    before = None
    for _ in range(100):
        tags = ask("plugin/scalars/tags")
        seen = {(run, tag): len(ask("plugin/scalars/scalars", run=run, tag=tag)) for run in tags for tag in tags[run]}
        if seen and seen == before:
            return seen
        before = seen
        time.sleep(0.5)
    sys.exit("TensorBoard does not come to an end of reading")


def check(ask, losses):
    """Whether what is drawn is what happened; what is wrong, in words."""
    seen = read_all(ask)
    runs = {run for run, _ in seen}
    trainings = [run for run in runs if run.endswith("/curves/tscd")]
    assert len(trainings) == 1, f"one curve of the training, not {trainings}"
    (run,) = trainings
    for name in losses[0]:
        drawn = ask("plugin/scalars/scalars", run=run, tag=f"loss/{name}")
        steps = [step for _, step, _ in drawn]
        assert steps == list(range(1, STEPS + 1)), f"each step once, in order, not {steps}"
        for (_, step, value), told in zip(drawn, losses):
            assert abs(value - told[name]) <= 1e-6 * abs(told[name]), f"step {step}: {value} where the log has {told[name]}"
    for tag in ["train/lr", "train/grad_norm", "train/images_per_second", "memory/resident_GiB"]:
        assert seen[run, tag] == STEPS, f"{tag}: {seen[run, tag]} points"
    samples = ask("plugin/images/images", run=run, tag="samples", sample=0)
    assert [sample["step"] for sample in samples] == [10, 20, 30, 40], f"samples: {samples}"
    norms = ask("plugin/histograms/histograms", run=run, tag="lora/norms")
    steps = [step for _, step, _ in norms]
    assert len(steps) >= 3 and steps == sorted(set(steps)) and steps[-1] == STEPS, f"norms at {steps}"
    groups = ask("plugin/hparams/session_groups", body=GROUPS)["sessionGroups"]
    hparams = next(group["hparams"] for group in groups if group["sessions"][0]["name"] == run)
    assert (hparams["kind"], hparams["segments"], hparams["teacher"]) == ("SegmentDistill", 8, "teacher"), hparams
    for candidate in ["student", "teacher"]:
        (own,) = [run for run in runs if run.endswith(f"/curves/eval/{candidate}")]
        steps = [step for _, step, _ in ask("plugin/scalars/scalars", run=own, tag="eval/frechet")]
        assert steps[:2] == [1, 4], f"{candidate} at {steps}"


STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
GROUPS = {"experimentName": "", "allowedStatuses": STATUSES, "colParams": [], "startIndex": 0, "sliceSize": 100}


def environment(folder):
    """TensorBoard, brought there."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *TENSORBOARD], check=True)
    return folder / "bin/tensorboard"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "target/debug/hyper-flow")
    parser.add_argument("--tensorboard", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        training = Training(options.engine.resolve(), folder)
        training.run("teacher")
        training.life(0.001, lambda engine: os.kill(engine, signal.SIGTERM))
        lost = training.life(1000.0, kill_all)
        training.run("tscd")
        training.run("eval")
        losses, told = training.losses()
        print(f"{STEPS} steps were told {told} times: those from {lost} on were lost once", flush=True)
        assert lost > 1 and told >= STEPS + LIFE and len(losses) == STEPS, (lost, told, len(losses))
        program = options.tensorboard or environment(folder / "tensorboard")
        for mode in ["--load_fast=true", "--load_fast=false"]:
            with tensorboard(program, training.store / "runs", mode) as ask:
                check(ask, losses)
            print(f"{mode}: one curve, as the log has it", flush=True)


if __name__ == "__main__":
    main()
