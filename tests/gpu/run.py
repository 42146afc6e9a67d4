#!/usr/bin/env python3
"""Tries and measures everything that needs an NVIDIA GPU, and prints one table. No network is asked.

  python3 tests/gpu/run.py            on a machine with a GPU: about ten minutes
  python3 tests/gpu/run.py --dry      on any: the CUDA device of host memory (nodes/stand-in), small models. It shows that the script
                                      works, and that all is where it should be; its times say nothing

Before, with a network: `make build`, `cargo test --workspace --no-run`, `cargo build --release -p hyper-flow-diffusion --example unet_cost`;
and for the comparison a python3 with torch 2.11, diffusers and peft. A part that fails is told in the table, and the next goes on.

| part | what it does |
|---|---|
| worker | what `hyper-flow-worker describe` says of the GPUs |
| parity | the small UNets on the GPU against diffusers' outputs, in float32 and in TF32 |
| digits | trainings of digits on `Cuda(0)`, each with its precision; twice with the same bytes |
| resume | the same, killed by SIGKILL in each node that trains: the same bytes |
| steps | a forward and a LoRA step of SD1.5's and SDXL's UNet beside diffusers and peft with the same batch: seconds, memory, share of the
          GPU's peak, where a step is 2.2 F + 3 L (F a forward of the base, L what the LoRA adds to it; the base's weights get no gradient) |
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/gpu"
# TFLOP/s of dense products in bfloat16, as NVIDIA's data sheets have them.
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125, "RTX 5090": 210, "RTX 4090": 165, "RTX 3090": 71}
# TFLOP of a forward of one sample at the model's own size, and what a LoRA of rank 64 on its 14 kinds of modules adds.
FORWARD = {"sd15": 0.80, "sdxl": 6.76}


class Bench:
    def __init__(self, options):
        self.dry, self.rows = options.dry, []
        target = ROOT / "target" / ("debug" if options.debug else "release")
        self.engine, self.worker = target / "hyper-flow", target / "hyper-flow-worker"
        self.environment = {**os.environ, "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0")}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hyper-flow-gpu-"))
        if self.dry:
            self.worker = self.wrapped(self.worker)
        self.environment["HYPER_FLOW_WORKER"] = str(self.worker)

    def preloads(self):
        """The variables that put the device of host memory into a process."""
        built = sorted(ROOT.glob("target/*/build/hyper-flow-stand-in-*/out/libcuda_device.so"), key=os.path.getmtime)
        if not built:
            raise SystemExit("there is no stand-in: cargo test --workspace --no-run")
        return {"LD_PRELOAD": str(built[-1]), "LD_LIBRARY_PATH": str(built[-1].parent / "driver")}

    def wrapped(self, worker):
        """A worker with that device: the engine itself has no libtorch."""
        script = self.folder / "worker"
        variables = " ".join(f"{name}='{value}'" for name, value in self.preloads().items())
        script.write_text(f"#!/bin/sh\nexec env {variables} '{worker}' \"$@\"\n")
        script.chmod(0o755)
        return script

    def row(self, part, what, told):
        self.rows.append((part, what, str(told)))
        print(f"{part:8} {what:34} {told}", flush=True)

    def call(self, *command, **more):
        done = subprocess.run([str(word) for word in command], env={**self.environment, **more}, capture_output=True, text=True, cwd=ROOT)
        if done.returncode != 0:
            raise RuntimeError((done.stderr or done.stdout).strip()[-600:])
        return done.stdout

    # The parts.

    def describe(self):
        described = json.loads(self.call(self.worker, "describe"))
        self.gpu = (described["gpus"] or ["none"])[0]
        self.row("worker", "GPUs", ", ".join(described["gpus"]) or "none")
        self.row("worker", "libtorch", described["libtorch"])
        if not described["gpus"]:
            raise RuntimeError("the worker sees no GPU that it can use: a run says why")

    def parity(self):
        more = {"HYPER_FLOW_PARITY_GPU": "1", **(self.preloads() if self.dry else {})}
        tests = [path for path in ROOT.glob("target/debug/deps/parity-*") if os.access(path, os.X_OK) and path.suffix == ""]
        newest = max(tests, key=os.path.getmtime, default=None)
        if newest is None:
            raise RuntimeError("the tests are not built: cargo test --workspace --no-run")
        # Cargo tells tests where their package is.
        said = self.call(newest, "on_gpu", "--nocapture", CARGO_MANIFEST_DIR=str(ROOT / "nodes/diffusion"), **more)
        found = re.findall(r"^(?:test .* \.\.\. )?(\w+) (Fp32|Tf32) ([\d.e+-]+)$", said, re.MULTILINE)
        for name, precision, apart in found:
            self.row("parity", f"{name} {precision}", f"{apart} of the largest value")
        if len(found) != 8:
            raise RuntimeError(said[-600:])

    def flow(self, verb, *words, store):
        steps = "2" if self.dry else "200"
        return [self.engine, verb, HERE / "digits.ron", *words, "--set", f"params.steps={steps}", "--store", self.folder / store]

    def artifacts(self, store, *words):
        """The digest of each node's artifact, after a run to the end."""
        self.call(*self.flow("run", "--quiet", *words, store=store))
        shown = lambda node: json.loads(self.call(*self.flow("show", node, *words, "--json", store=store)))
        return {node: shown(node) for node in ("clip", "teacher", "tscd", "unified")}

    def digits(self):
        for precision in ("Fp32", "Tf32", "Bf16", "Fp16"):
            words = ["--set", f"params.precision={precision}"]
            shown = self.artifacts("one", *words)
            for node, one in shown.items():
                if precision == "Fp32" or node in ("tscd", "unified"):
                    made = one["made"]
                    gpu = f", {made['memory']['gpu'] / 2**20:.0f} MiB of the GPU's" if made["memory"].get("gpu") else ""
                    self.row("digits", f"{node} {precision}", f"{made['seconds']:.1f} s{gpu}, on {made['device']}")
        self.same("digits", "twice", self.artifacts("one"), self.artifacts("two"))

    def same(self, part, what, one, other):
        differ = [node for node in one if one[node]["artifact"] != other[node]["artifact"]]
        self.row(part, what, f"other bytes: {', '.join(differ)}" if differ else "the same bytes")
        if differ:
            raise RuntimeError("what is exact must come out alike")

    def resume(self):
        killed = []
        for node in ("clip", "teacher", "tscd", "unified"):
            process = subprocess.Popen(
                [str(word) for word in self.flow("run", node, "--json", store="killed")],
                env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )
            for line in process.stdout:
                if '"checkpoint"' in line and f'"node":"{node}"' in line.replace(" ", ""):
                    os.killpg(process.pid, signal.SIGKILL)
                    killed.append(node)
                    break
            process.wait()
        self.same("resume", f"killed in {len(killed)} of 4 trainings", self.artifacts("one"), self.artifacts("killed"))

    def steps(self):
        program = [sys.executable, ROOT / "tests/parity/unet_cost.py", "--cuda", "--runs", "1" if self.dry else "5"]
        program += ["--binary", self.engine.parent / "examples/unet_cost"]
        for more in ([], ["--checkpointing"]):
            said = self.call(*program, *more)
            pattern = r"^(\w+) (\w+) (\w+) +(ours|diffusers) +([\d.]+) s .*peak (.*)$"
            for model, dtype, what, side, seconds, memory in re.findall(pattern, said, re.MULTILINE):
                share = self.share(model, what, float(seconds), checkpointing=bool(more))
                self.row("steps", f"{model} {dtype} {what} {side}{' checkpointing' if more else ''}", f"{seconds} s, {memory}{share}")
            for told in re.findall(r"^.* differ by .*$", said, re.MULTILINE):
                self.row("steps", "held to diffusers", told)

    def share(self, model, what, seconds, checkpointing):
        peak = next((tflops for name, tflops in PEAKS.items() if name in self.gpu), None)
        if peak is None or model not in FORWARD:
            return ""
        # What the LoRA adds is left out: the share is a little more.
        passes = 1.0 if what == "forward" else 2.2 + checkpointing
        return f", {FORWARD[model] * passes / seconds / peak:.0%} of the peak"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="on the device of host memory")
    parser.add_argument("--debug", action="store_true", help="the binaries of `cargo build --workspace`")
    parser.add_argument("--only", nargs="+", default=["describe", "parity", "digits", "resume", "steps"])
    options = parser.parse_args()
    bench, failed = Bench(options), []
    for part in options.only:
        began = time.monotonic()
        try:
            getattr(bench, part)()
        except (RuntimeError, OSError, KeyError, ValueError) as error:
            failed.append(part)
            bench.row(part, "failed", " ".join(str(error).split()))
        bench.row(part, "took", f"{time.monotonic() - began:.0f} s")
    print("\n| part | what | |\n|---|---|---|")
    for row in bench.rows:
        print(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |")
    with contextlib.suppress(OSError):
        subprocess.run(["rm", "-rf", str(bench.folder)], check=False)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
