"""Seconds of a step of `Sample` in Fp32, Bf16 and Fp16 on this CPU, before and after layers without instructions for a format
were widened to float32 one at a time; then as on older CPUs, by telling libtorch, oneDNN and MKL to do without.

  cargo build --workspace --example half_cost
  python3 tests/half_cost.py                   a UNet of Stable Diffusion 1.5's structure and a quarter of its width, latents of 32x32
  python3 tests/half_cost.py --width 1 --side 64 --rounds 1 --only own

Everything is measured in turn in one process; the numbers are medians and, in brackets, how many times Fp32's they are.

Last results (2 cores of a Xeon with AVX-512, AMX and float16 instructions, others at work on it, 1 thread, 3 rounds):

  CPU         Fp32       Bf16 before        Bf16 after       Fp16 before        Fp16 after  chosen for Bf16/Fp16
  own         1.14      0.62 ( 0.55)      0.63 ( 0.55)      1.19 ( 1.04)      1.55 ( 1.35)  Native/Native
  avx512      0.52      1.26 ( 2.43)      0.58 ( 1.12)     16.95 (32.77)      0.59 ( 1.15)  Widened/Widened
  avx2        0.97     23.82 (24.68)      1.25 ( 1.30)     23.39 (24.24)      1.09 ( 1.13)  Widened/Widened
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "tests/parity/fixtures/full_size_configs.json"

# What each of the three libraries is told.
CPUS = {
    "own": {},
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
WAYS = ["Fp32", "Bf16 before", "Bf16 after", "Fp16 before", "Fp16 after"]


def narrowed(width):
    """Stable Diffusion 1.5's configuration with a part of its channels, in whole groups of its norms."""
    config = json.loads(CONFIGS.read_text())["sd15"]["unet"]
    config["block_out_channels"] = [max(round(c * width / 32), 1) * 32 for c in config["block_out_channels"]]
    return config


def measured(setup, cpu, example):
    """The answer of the example, whose libraries are told to be of this CPU."""
    answer = subprocess.run([example, json.dumps(setup)], env=os.environ | CPUS[cpu], stdout=subprocess.PIPE, check=True)
    return json.loads(answer.stdout)


def line(cpu, answer):
    medians = {way: statistics.median(answer["seconds"][way]) for way in WAYS}
    cells = [f"{medians[way]:8.2f} ({medians[way] / medians['Fp32']:5.2f})" for way in WAYS[1:]]
    chosen = "/".join(answer["chosen"][kind] for kind in ("bf16", "fp16"))
    return f"  {cpu:8}{medians['Fp32']:8.2f}" + "".join(f"  {cell}" for cell in cells) + f"  {chosen}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", default=ROOT / "target/debug/examples/half_cost")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=CPUS, default=list(CPUS))
    args = parser.parse_args()
    print(f"  {'CPU':8}{'Fp32':>8}" + "".join(f"  {way:>16}" for way in WAYS[1:]) + "  chosen for Bf16/Fp16")
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "config.json"
        config.write_text(json.dumps(narrowed(args.width)))
        setup = {"config": str(config), "side": args.side, "tokens": 77, "threads": args.threads, "rounds": args.rounds}
        for cpu in args.only:
            print(line(cpu, measured(setup, cpu, args.example)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
