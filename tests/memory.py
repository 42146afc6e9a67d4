"""The most memory that each training kind takes, as the worker reports it, beside what separate copies of the UNet would take.

  python3 tests/memory.py pipelines/digits.ron             every training node of a pipeline; what is in the store is read there
  python3 tests/memory.py sd15                             Stable Diffusion 1.5's size: random weights, LoRAs of rank 64, batch 1
  python3 tests/memory.py sd15 --precision Bf16 --checkpointing true --only segment heads --steps 2 --threads 2

Teacher, student, its average, the fake score and the discriminator's features are one frozen UNet with different LoRAs.
"Copies" is how many of them the kind asks for predictions; "separate" is the peak with (copies - 1) times the UNet's weights
added: parameters times 4 bytes in Fp32 and 2 in Bf16. It leaves out what copies would further need, such as the gradients
and moments of a student that is no LoRA.

The peak is the high-water mark of the worker's resident memory: libtorch's libraries (some 200 MiB), the data's
conditions, weights, activations, gradients, the optimiser, and the checkpoint that is written at the end.

Wants the release binaries (`make build`), or `--engine PATH`, and numpy for `sd15`, whose random model takes 2.2 GB of disk
in `--folder`. Of a pipeline, `--folder` is the store.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests/parity/fixtures"
MIB = 1 << 20

# What a kind asks for predictions, each of which would be a UNet.
COPIES = {
    "SegmentDistill": ["teacher", "student", "average"],
    "RewardFinetune": ["student", "student before"],
    "ScoreDistill": ["teacher", "student", "average", "fake score", "student before"],
}


class Engine:
    """A pipeline with a store."""

    def __init__(self, options, pipeline, store):
        self.engine, self.pipeline, self.store = str(options.engine), str(pipeline), str(store)

    def call(self, verb, *words):
        command = [self.engine, verb, self.pipeline, *words, "--store", self.store]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def peak(self, node):
        """Runs a node, and gives its most memory and its seconds."""
        self.call("run", node, "--quiet")
        made = json.loads(self.call("show", node, "--json"))["made"]
        return made["memory"]["peak"], made["memory"].get("gpu"), made["seconds"]


def row(name, kind, copies, engine, unet_bytes):
    peak, gpu, seconds = engine.peak(name)
    separate = (gpu or peak) + (max(copies, 1) - 1) * unet_bytes
    cells = [name, kind, f"{peak / MIB:,.0f}", str(copies) if copies else "-", f"{separate / MIB:,.0f}", f"{seconds:.0f}"]
    if gpu:
        cells.insert(3, f"{gpu / MIB:,.0f} (GPU)")
    print("| " + " | ".join(cells) + " |", flush=True)


def head(title):
    print(f"\n{title}\n\n| node | kind | peak MiB | copies | separate MiB | seconds |\n|---|---|---|---|---|---|", flush=True)


# ── a pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────────

TRAINS = {"TrainClip", "TrainJudge", "TrainSegmenter", "TrainTeacher", "TrainVae", *COPIES}


def pipeline(options, folder):
    engine = Engine(options, options.model, folder)
    nodes = json.loads(engine.call("plan", "--json"))["nodes"]
    engine.call("run", "--quiet")
    unet = sum(unet_bytes(engine, node["name"]) for node in nodes if node["kind"] == "TrainTeacher")
    head(options.model)
    for node in nodes:
        if node["kind"] in TRAINS:
            row(node["name"], node["kind"], len(COPIES.get(node["kind"], [])), engine, unet)


def unet_bytes(engine, teacher):
    files = json.loads(engine.call("show", teacher, "--json"))["files"]
    return next(file["size"] for file in files if file["path"] == "unet/diffusion_pytorch_model.safetensors")


# ── a model of Stable Diffusion 1.5's size ──────────────────────────────────────────────────────────────────────────


def write_random(path, shapes, seed):
    """A file of float16 tensors: scales of one, offsets of zero, and matrices that keep the size of what they multiply."""
    import numpy

    path.parent.mkdir(parents=True, exist_ok=True)
    random, header, at = numpy.random.default_rng(seed), {}, 0
    for name, shape in shapes.items():
        size = 2 * int(numpy.prod(shape, dtype=numpy.int64))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            if len(shape) <= 1:
                values = numpy.full(shape, 1.0 if name.endswith("weight") else 0.0, numpy.float16)
            else:
                fan = int(numpy.prod(shape[1:], dtype=numpy.int64))
                values = (random.standard_normal(shape, numpy.float32) * fan**-0.5).astype(numpy.float16)
            file.write(values.tobytes())


def write_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file in (FIXTURES / "tokenizer").iterdir():
        text = file.read_text()
        if file.name == "tokenizer_config.json":
            text = json.dumps({**json.loads(text), "model_max_length": 77})
        (folder / file.name).write_text(text)


def write_model(folder):
    """A diffusers folder of the published structure with random weights, and a CLIP of ViT-L/14's size beside it."""
    configs = json.loads((FIXTURES / "full_size_configs.json").read_text())
    with gzip.open(FIXTURES / "full_size_keys.json.gz") as file:
        shapes = json.load(file)
    files = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
    for seed, (part, name) in enumerate(files.items()):
        write_random(folder / "model" / part / f"{name}.safetensors", shapes["sd15"][part], seed)
        (folder / "model" / part / "config.json").write_text(json.dumps(configs["sd15"][part]))
    write_tokenizer(folder / "model/tokenizer")
    scheduler = {
        "_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "prediction_type": "epsilon", "set_alpha_to_one": False, "steps_offset": 1,
        "clip_sample": False,
    }
    (folder / "model/scheduler").mkdir(exist_ok=True)
    (folder / "model/scheduler/scheduler_config.json").write_text(json.dumps(scheduler))
    index = {
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model/model_index.json").write_text(json.dumps(index))
    write_random(folder / "clip/model.safetensors", shapes["clip"]["vit-l-14"], 7)
    (folder / "clip/config.json").write_text(json.dumps(configs["clip"]["vit-l-14"]))
    write_tokenizer(folder / "clip")


def write_png(path, shade):
    """512 pixels a side, of one colour."""
    rows = (b"\0" + bytes([shade, 255 - shade, 128]) * 512) * 512
    chunk = lambda name, data: len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)
    head = (512).to_bytes(4) + (512).to_bytes(4) + bytes([8, 2, 0, 0, 0])
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def write_pictures(folder):
    """Four pictures with captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(4):
        write_png(folder / f"{i}.png", 50 * i)
        (folder / f"{i}.txt").write_text(f"a picture of number {i}")


TRAINED = """teacher: "base", data: "latents", rank: 64, steps: {steps}, batch: 1, lr: 1e-6, ema: 0.99,
            precision: {precision}, checkpointing: {checkpointing}"""

PIPELINE = """Pipeline(
    name: "memory",
    nodes: {{
        "base": Diffusers(path: "model"),
        "clip": PretrainedClip(path: "clip"),
        "pictures": ImageFolder(folder: "pictures", size: 512, held_out: 0.25),
        "latents": EncodeLatents(model: "base", data: "pictures", batch: 1, precision: Bf16),
        "segment": SegmentDistill({trained}, segments: 8, guidance: (5.0, 9.0)),
        "heads": SegmentDistill({trained}, segments: 1, guidance: (5.0, 9.0),
            adversarial: (weight: 0.1, discriminator: Heads, lr: 1e-5)),
        "encoder": SegmentDistill({trained}, segments: 1, guidance: (5.0, 9.0),
            adversarial: (weight: 0.1, discriminator: Encoder, lr: 1e-5)),
        "reward": RewardFinetune({trained}, student: "segment", anchor: 1e-3, rollouts: [1, 2],
            rewards: [Clip(model: "clip", weight: 1e-3)]),
        "score": ScoreDistill({trained}, student: "segment", guidance: 7.5, consistency: 1.0, anchor: 1.0,
            fake_updates: 1, fake_warmup: 0),
    }},
    settings: {{"*": (threads: {threads}, device: {device})}},
)
"""

# Each node with its kind, and what else asks the UNet. The trained encoder is a copy in either case.
KINDS = {
    "segment": ("SegmentDistill", []),
    "heads": ("SegmentDistill", ["discriminator's features"]),
    "encoder": ("SegmentDistill", []),
    "reward": ("RewardFinetune", []),
    "score": ("ScoreDistill", []),
}
UNET = 859_520_964


def sd15(options, folder):
    if not (folder / "clip/config.json").exists():
        write_model(folder)
        write_pictures(folder / "pictures")
    for precision in options.precision:
        for checkpointing in options.checkpointing:
            trained = TRAINED.format(steps=options.steps or 1, precision=precision, checkpointing=checkpointing)
            text = PIPELINE.format(trained=trained, threads=options.threads, device=options.device)
            pipeline = folder / f"memory-{precision}-{checkpointing}.ron"
            pipeline.write_text(text)
            engine = Engine(options, pipeline, folder / "store")
            engine.call("run", "latents", "clip", "--quiet")
            head(f"SD1.5's size, {precision}, checkpointing {checkpointing}, batch 1, rank 64, {options.steps or 1} steps")
            for name in options.only:
                kind, further = KINDS[name]
                row(name, kind, len(COPIES[kind]) + len(further), engine, UNET * (4 if precision == "Fp32" else 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a pipeline's file, or sd15")
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "target/release/hyper-flow")
    parser.add_argument("--folder", type=pathlib.Path, help="the store, and for sd15 the model [default: a temporary one]")
    parser.add_argument("--precision", nargs="+", default=["Fp32", "Bf16"])
    parser.add_argument("--checkpointing", nargs="+", default=["true", "false"])
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="Auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or pathlib.Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (sd15 if options.model == "sd15" else pipeline)(options, folder)


if __name__ == "__main__":
    main()
