"""What a training step costs here and in PyTorch eager (`peer.py`), in CPU time, on one thread, both sides in turn.

  python3 benches/step/step.py                       the two small sizes, TSCD
  python3 benches/step/step.py small --rounds 7      also: medium, sd15 (random weights: 2.2 GB of disk, 12 GB of memory)
  python3 benches/step/step.py small --kinds ScoreDistill RewardFinetune      those have no peer: their times are printed alone
  python3 benches/step/step.py --parts               a step of 64 parts beside one of one part: seconds a part
  python3 benches/step/step.py --before target/before/hyper-flow    the same by another build too, and its ratio

Wants the release binaries (`make build`), and python3 with torch, diffusers and peft. Here a step is what a run of more
steps takes more than one of fewer, of the whole process tree: start and end are in neither.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import memory  # noqa: E402  a random model of Stable Diffusion's size

# Of each size the teacher, the samples in a batch, the LoRA's rank, and steps of a short run and of a longer one.
SIZES = {
    "small": {"channels": [24, 48], "batch": 64, "rank": 16, "steps": (5, 35)},
    "medium": {"channels": [80, 136], "batch": 32, "rank": 32, "steps": (2, 10)},
    "sd15": {"batch": 1, "rank": 64, "steps": (1, 3)},
}

TOY = """
        "pictures": Digits(file: "{data}"),
        "clip": TrainClip(data: "pictures", steps: 1),
        "base": TrainTeacher(data: "pictures", text: "clip", prediction: V, channels: {channels}, steps: 1),
"""
FULL = """
        "base": Diffusers(path: "model"),
        "clip": PretrainedClip(path: "clip"),
        "folder": ImageFolder(folder: "pictures", size: 512, held_out: 0.25),
        "pictures": EncodeLatents(model: "base", data: "folder", batch: 1, precision: Bf16),
"""
TRAINED = "teacher: \"base\", data: \"pictures\", rank: {rank}, batch: {batch}, accumulate: {accumulate}, steps: {steps}, lr: 1e-6"
KINDS = {
    "SegmentDistill": "segments: 8, guidance: (5.0, 9.0), distance: Mse",
    "ScoreDistill": "student: \"parent\", guidance: 5.0, consistency: 1.0, anchor: 1.0, fake_warmup: 0",
    "RewardFinetune": "student: \"parent\", anchor: 1e-3, rewards: [Clip(model: \"clip\", weight: 1.0)]",
}
PIPELINE = """Pipeline(
    name: "step",
    nodes: {{{sources}
        "parent": SegmentDistill({parent}, segments: 8),
        "step": {kind}({trained}, {own}),
    }},
    settings: {{"*": (threads: {threads}), "step": (seed: {seed})}},
)
"""


class Ours:
    """A store with what a step of some size needs, and runs of it by one build of the engine."""

    seeds = 0

    def __init__(self, engine, folder, name, threads):
        self.engine, self.folder, self.size, self.threads = engine, folder, SIZES[name], threads
        self.sources = FULL if name == "sd15" else TOY.format(
            data=ROOT / "pipelines/data/digits.csv.gz", channels=self.size.get("channels"))
        self.store = folder / f"store-{name}"

    def call(self, verb, *words):
        command = [str(self.engine), verb, *map(str, words), "--store", str(self.store)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, kind, steps, batch, accumulate):
        """A pipeline that no run has been of: another seed."""
        Ours.seeds += 1
        trained = TRAINED.format(rank=self.size["rank"], batch=batch, accumulate=accumulate, steps=steps)
        parent = TRAINED.format(rank=self.size["rank"], batch=batch, accumulate=1, steps=1)
        text = PIPELINE.format(sources=self.sources, parent=parent, kind=kind, trained=trained, own=KINDS[kind],
                               threads=self.threads, seed=Ours.seeds)
        path = self.folder / "step.ron"
        path.write_text(text)
        return path

    def prepare(self):
        path = self.write("ScoreDistill", 1, self.size["batch"], 1)
        self.call("run", path, "parent", "--quiet")
        return path

    def cpu(self, kind, steps, batch, accumulate):
        path = self.write(kind, steps, batch, accumulate)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.call("run", path, "step", "--quiet")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def peak(self):
        made = json.loads(self.call("show", self.folder / "step.ron", "step", "--json"))["made"]
        return made["memory"]["peak"] / (1 << 20)

    def step(self, kind, batch=None, accumulate=1, steps=None):
        """CPU seconds of a step."""
        few, many = steps or self.size["steps"]
        batch = batch or self.size["batch"]
        first, last = (self.cpu(kind, steps, batch, accumulate) for steps in (few, many))
        return (last - first) / (many - few)


class Theirs:
    """The peer, on a UNet of the same configuration."""

    def __init__(self, ours, path):
        config = lambda part: json.loads(ours.call("show", path, "base", f"{part}/config.json"))
        setup = {
            "unet": config("unet"), "tokens": config("text_encoder")["max_position_embeddings"],
            "threads": ours.threads, "rank": ours.size["rank"], "batch": ours.size["batch"],
        }
        self.steps = ours.size["steps"][1] - ours.size["steps"][0]
        command = [sys.executable, str(HERE / "peer.py"), json.dumps(setup)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.parameters = json.loads(self.process.stdout.readline())["parameters"]

    def step(self):
        """CPU seconds of a step."""
        self.process.stdin.write(f"{self.steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["seconds"] / self.steps

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compare(options, folder, name, kind):
    """One line: each side's median, and ratios of them."""
    ours = Ours(options.engine, folder, name, options.threads)
    path = ours.prepare()
    before = options.before and Ours(options.before, folder, name, options.threads)
    theirs = Theirs(ours, path) if kind == "SegmentDistill" else None
    times = {"here": [], "before": [], "eager": []}
    for _ in range(options.rounds):
        times["here"].append(ours.step(kind))
        if before:
            times["before"].append(before.step(kind))
        if theirs:
            times["eager"].append(theirs.step())
    ours.cpu(kind, 2, ours.size["batch"], 1)
    told = [f"{name}, {kind}, batch {ours.size['batch']}"]
    if theirs:
        told.append(f"{theirs.parameters / 1e6:.1f} M parameters")
        theirs.end()
    medians = {side: statistics.median(values) for side, values in times.items() if values}
    told += [f"{side} {1000 * seconds:.1f} ms" for side, seconds in medians.items()]
    told += [f"here/{side} {medians['here'] / medians[side]:.2f}" for side in ("before", "eager") if side in medians]
    print("; ".join(told) + f"; peak here {ours.peak():.0f} MiB", flush=True)


def parts(options, folder):
    """Seconds a part of a step of 64 parts, beside a step of one."""
    ours = Ours(options.engine, folder, "small", options.threads)
    ours.prepare()
    one, many = [], []
    for _ in range(options.rounds):
        one.append(ours.step("SegmentDistill", batch=8, accumulate=1, steps=(64, 320)))
        many.append(ours.step("SegmentDistill", batch=8, accumulate=64, steps=(1, 5)) / 64)
    one, many = statistics.median(one), statistics.median(many)
    print(f"a part of 8: {1000 * one:.2f} ms alone, {1000 * many:.2f} ms as one of 64; {many / one:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["small", "medium"], help=", ".join(SIZES))
    parser.add_argument("--kinds", nargs="+", default=["SegmentDistill"], choices=list(KINDS))
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "target/release/hyper-flow")
    parser.add_argument("--before", type=pathlib.Path, help="another build's engine, beside its worker")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--parts", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if options.parts:
            return parts(options, folder)
        if "sd15" in options.sizes:
            memory.write_model(folder)
            memory.write_pictures(folder / "pictures")
        for name in options.sizes:
            for kind in options.kinds:
                compare(options, folder, name, kind)


if __name__ == "__main__":
    main()
