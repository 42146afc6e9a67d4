"""What a UNet costs here and in diffusers, side by side: seconds of a forward and of a LoRA training step, peak memory,
and how far the outputs are apart. Full-size models have random weights, which cost what others do.

Run, after `cargo build --release -p hyper-flow-diffusion --example unet_cost` (torch 2.11, diffusers 0.42, peft 0.21):

  python tests/parity/unet_cost.py                        SD1.5's UNet in float32 on the CPU, 2 threads
  python tests/parity/unet_cost.py --dtype bfloat16       also: --model sdxl | sd21 | tiny, --do forward step,
                                                          --checkpointing, --runs 5, --threads 2
  python tests/parity/unet_cost.py --cuda                 SD1.5 and SDXL in bfloat16 on the GPU, forward and step

Both sides hold a model each and are asked in turn, so that what else the machine does falls on both alike;
`--one-by-one` is for a machine that has not memory for both. It fails where the outputs are too far apart.

Last results (2 cores of a Xeon at 2.1 GHz with others at work on it; medians of 5):

                                      here                    diffusers
  SD1.5 float32 forward               13.1 s   3806 MiB       14.4 s   4423 MiB    outputs differ by 0
  SD1.5 bfloat16 forward               7.3 s   2019 MiB        8.9 s   2616 MiB    outputs differ by 0
  SD1.5 float32 LoRA step             11.0 s   7493 MiB       11.9 s   8579 MiB    losses differ by 0
  the same with checkpointing         16.0 s   5390 MiB       15.4 s   7381 MiB    losses differ by 0
  SDXL  bfloat16 forward              19.7 s   5584 MiB       18.0 s   6172 MiB    outputs differ by 8.7e-3

In a quieter moment SD1.5's bfloat16 forward took 1.30 s here and 1.31 s in diffusers. No GPU could be had.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import torch

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
OURS = pathlib.Path(__file__).parents[2] / "target/release/examples/unet_cost"
TARGETS = [
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
    "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
]
# Relative to the largest of diffusers' output, after the rounding of hundreds of layers.
TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}


def config_of(model):
    if model == "tiny":
        from unet_configs import CONFIGS

        return CONFIGS["sdxl"]
    return json.loads((FIXTURES / "full_size_configs.json").read_text())[model]["unet"]


def write(model, dtype, folder):
    """Random weights and inputs."""
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    unet = UNet2DConditionModel.from_config(config_of(model))
    torch.set_default_dtype(torch.float32)
    unet.save_pretrained(folder, max_shard_size="100GB")
    config, side = unet.config, unet.config.sample_size
    inputs = {
        "sample": torch.randn(1, config.in_channels, side, side),
        "target": torch.randn(1, config.out_channels, side, side),
        "timesteps": torch.tensor([500]),
        "text": torch.randn(1, 77, config.cross_attention_dim),
    }
    if config.addition_embed_type:
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs["text_embeds"] = torch.randn(1, pooled)
        inputs["time_ids"] = torch.tensor([[8.0 * side, 8.0 * side, 0, 0, 8.0 * side, 8.0 * side]])
    save_file(inputs, pathlib.Path(folder) / "inputs.safetensors")


def peak_mib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def theirs(setup):
    """The side of diffusers and peft; it speaks as nodes/diffusion/examples/unet_cost.rs does."""
    from diffusers import UNet2DConditionModel
    from peft import LoraConfig
    from safetensors.torch import load_file, save_file

    torch.set_num_threads(setup["threads"])
    device = "cuda" if setup["cuda"] else "cpu"
    unet = UNet2DConditionModel.from_pretrained(setup["folder"], torch_dtype=getattr(torch, setup["dtype"])).to(device)
    unet.requires_grad_(False)
    inputs = {name: tensor.to(device) for name, tensor in load_file(setup["inputs"]).items()}
    added = {name: inputs[name] for name in ("text_embeds", "time_ids") if name in inputs}
    optimiser = None

    def output():
        sample, text = inputs["sample"].to(unet.dtype), inputs["text"].to(unet.dtype)
        return unet(sample, inputs["timesteps"], text, added_cond_kwargs=added).sample.float()

    def prepare():
        unet.add_adapter(LoraConfig(r=setup["rank"], lora_alpha=setup["rank"], target_modules=TARGETS))
        unet.train()
        if setup["checkpointing"]:
            unet.enable_gradient_checkpointing()
        return torch.optim.AdamW([p for p in unet.parameters() if p.requires_grad], lr=1e-4)

    def step():
        optimiser.zero_grad(set_to_none=False)
        loss = torch.nn.functional.mse_loss(output(), inputs["target"])
        value = loss.item()
        loss.backward()
        optimiser.step()
        return value

    print(json.dumps({"peak_mib": peak_mib()}), flush=True)
    for line in sys.stdin:
        if line.strip() == "step" and optimiser is None:
            optimiser = prepare()
        began, loss, y = time.perf_counter(), None, None
        if line.strip() == "step":
            loss = step()
        else:
            with torch.no_grad():
                y = output()
        if setup["cuda"]:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        if y is not None:
            save_file({"output": y.cpu().contiguous()}, setup["output"])
        print(json.dumps({"seconds": seconds, "loss": loss, "peak_mib": peak_mib()}), flush=True)


class Side:
    """One of the two processes."""

    def __init__(self, name, command, setup, folder):
        self.output = pathlib.Path(folder) / f"{name}.safetensors"
        setup = json.dumps({**setup, "output": str(self.output)})
        self.name, self.answers = name, {}
        self.process = subprocess.Popen([*command, setup], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peak = self.answer()["peak_mib"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended: {self.process.wait()}")
        return json.loads(line)

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.peak = answer["peak_mib"]
        self.answers.setdefault(what, []).append(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def seconds(self, what):
        # The first is for the caches.
        times = [answer["seconds"] for answer in self.answers[what][1:]]
        return f"{statistics.median(times):8.3f} s ({min(times):.3f} to {max(times):.3f})"


@contextlib.contextmanager
def gpu_memory(used):
    """Notes the most memory in use on the GPU, by whomever."""
    over = threading.Event()

    def watch():
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
        while not over.wait(0.1):
            used.append(int(subprocess.run(query, capture_output=True, text=True, check=True).stdout))

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()


def measure(sides, tasks, runs):
    for what in tasks:
        for _ in range(runs + 1):
            for side in sides:
                side.ask(what)


def compare(model, args, folder):
    """Measures one model; whether the two sides agree."""
    from safetensors.torch import load_file

    subprocess.run([sys.executable, __file__, "write", model, args.dtype, folder], check=True)
    setup = {
        "folder": folder, "inputs": f"{folder}/inputs.safetensors", "cuda": args.cuda, "dtype": args.dtype,
        "threads": args.threads, "rank": 64, "checkpointing": args.checkpointing,
    }
    commands = {"ours": [str(args.binary)], "diffusers": [sys.executable, __file__, "theirs"]}
    sides, gpu = [], {}
    if args.one_by_one or args.cuda:
        for name, command in commands.items():
            gpu[name] = used = [0]
            with gpu_memory(used) if args.cuda else contextlib.nullcontext():
                sides.append(Side(name, command, setup, folder))
                measure(sides[-1:], args.do, args.runs)
                sides[-1].end()
    else:
        sides = [Side(name, command, setup, folder) for name, command in commands.items()]
        measure(sides, args.do, args.runs)
        for side in sides:
            side.end()
    for what in args.do:
        for side in sides:
            memory = f"{max(gpu[side.name])} MiB of the GPU" if args.cuda else f"{side.peak} MiB"
            print(f"{model} {args.dtype} {what:8} {side.name:10} {side.seconds(what)}, peak {memory}", flush=True)
    ours, reference = sides
    differences = []
    if "forward" in args.do:
        a, b = (load_file(side.output)["output"].double() for side in sides)
        differences.append(("outputs", ((a - b).abs().max() / b.abs().max()).item()))
    if "step" in args.do:
        a, b = (side.answers["step"][0]["loss"] for side in sides)
        differences.append(("losses of the first step", abs(a - b) / abs(b)))
    for what, difference in differences:
        print(f"{model} {args.dtype} {what} differ by {difference:.1e}", flush=True)
    return all(difference < TOLERANCES[args.dtype] for _, difference in differences)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", nargs="+", default=["sd15"], choices=["sd15", "sd21", "sdxl", "tiny"])
    parser.add_argument("--dtype", default="float32", choices=TOLERANCES)
    parser.add_argument("--do", nargs="+", default=["forward"], choices=["forward", "step"])
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--binary", type=pathlib.Path, default=OURS)
    args = parser.parse_args()
    if args.cuda:
        args.model, args.dtype, args.do = ["sd15", "sdxl"], "bfloat16", ["forward", "step"]
    if args.cuda and not torch.cuda.is_available():
        print("PyTorch sees no GPU: a tiny model runs on the CPU instead, which shows that the script works and no more")
        args.cuda, args.model = False, ["tiny"]
    agree = True
    for model in args.model:
        with tempfile.TemporaryDirectory() as folder:
            agree &= compare(model, args, folder)
    sys.exit(0 if agree else "the two sides differ by more than they may")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(*sys.argv[2:])
    elif sys.argv[1:2] == ["theirs"]:
        theirs(json.loads(sys.argv[2]))
    else:
        main()
