"""Opens tiny model folders that hyper-flow wrote (SD1.5-, SD2.1- and SDXL-shaped, VAE included) with diffusers' pipelines,
and draws with them what `Sample` drew: the same prompts, noise, sampler and LoRA. Pictures may differ by 2 of 255.

Both sides begin with the same noise: it is drawn here by hyper-flow's generator, which `Rng` below defines anew. The LoRA is
loaded by `load_lora_weights`, for which a warning (of unexpected or missing keys) is an error here. "exported" is what
`Export` wrote of a LoRA of which one layer has a rank and an alpha of its own, against what `Sample` drew with the LoRA.

"trained" is what `TrainVae` and `TrainTeacher` wrote.

Run: PARITY_OUT=DIR cargo test -p hyper-flow-nodes --test worker -- --ignored write_pipelines write_trained_pipeline
     python tests/parity/open_pipelines.py DIR  (torch 2.11, transformers 5.23, diffusers 0.42, peft 0.21; on the CPU)

Last output (DDIM without noise and Euler are one method, and differ by rounding):
    torch 2.11.0+cu130, diffusers 0.42.1, transformers 5.23.0
    sd15: StableDiffusionPipeline opens, no key missing or unexpected
    ddim: 4 pictures, 0 of 255; 0 from ddim
    empty_negative: 4 pictures, 0 of 255; 0 from ddim
    euler: 4 pictures, 0 of 255; 1 from ddim
    large: 4 pictures, 0 of 255
    lcm: 4 pictures, 0 of 255; 127 from ddim
    lora: 4 pictures, 0 of 255; 68 from ddim
    lora_tcd: 4 pictures, 0 of 255; 100 from ddim
    negative: 4 pictures, 0 of 255; 27 from ddim
    tcd: 4 pictures, 1 of 255; 102 from ddim
    unguided: 4 pictures, 0 of 255; 38 from ddim
    exported, kohya: 4 pictures, 1 of 255; 139 from ddim
    exported, diffusers: 4 pictures, 1 of 255; 139 from ddim
    exported, diffusers, its header lost: 4 pictures, 1 of 255; 139 from ddim
    exported, model: 4 pictures, 1 of 255; 139 from ddim
    exported, fused: 4 pictures, 1 of 255; 139 from ddim
    sd21: StableDiffusionPipeline opens, no key missing or unexpected
    ddim: 4 pictures, 0 of 255; 0 from ddim
    empty_negative: 4 pictures, 0 of 255; 0 from ddim
    euler: 4 pictures, 0 of 255; 9 from ddim
    large: 4 pictures, 0 of 255
    lcm: 4 pictures, 0 of 255; 255 from ddim
    lora: 4 pictures, 0 of 255; 171 from ddim
    lora_tcd: 4 pictures, 0 of 255; 255 from ddim
    negative: 4 pictures, 0 of 255; 76 from ddim
    tcd: 4 pictures, 1 of 255; 255 from ddim
    unguided: 4 pictures, 0 of 255; 103 from ddim
    exported, kohya: 4 pictures, 1 of 255; 255 from ddim
    exported, diffusers: 4 pictures, 1 of 255; 255 from ddim
    exported, diffusers, its header lost: 4 pictures, 1 of 255; 255 from ddim
    exported, model: 4 pictures, 1 of 255; 255 from ddim
    exported, fused: 4 pictures, 1 of 255; 255 from ddim
    sdxl: StableDiffusionXLPipeline opens, no key missing or unexpected
    ddim: 4 pictures, 1 of 255; 0 from ddim
    empty_negative: 4 pictures, 0 of 255; 29 from ddim
    euler: 4 pictures, 0 of 255; 1 from ddim
    large: 4 pictures, 1 of 255
    lcm: 4 pictures, 1 of 255; 109 from ddim
    lora: 4 pictures, 1 of 255; 64 from ddim
    lora_tcd: 4 pictures, 0 of 255; 96 from ddim
    negative: 4 pictures, 1 of 255; 34 from ddim
    tcd: 4 pictures, 0 of 255; 101 from ddim
    unguided: 4 pictures, 0 of 255; 23 from ddim
    exported, kohya: 4 pictures, 1 of 255; 130 from ddim
    exported, diffusers: 4 pictures, 1 of 255; 130 from ddim
    exported, diffusers, its header lost: 4 pictures, 1 of 255; 130 from ddim
    exported, model: 4 pictures, 1 of 255; 130 from ddim
    exported, fused: 4 pictures, 1 of 255; 130 from ddim
    trained: StableDiffusionPipeline opens, no key missing or unexpected
    ddim: 4 pictures, 0 of 255; 0 from ddim
    tcd: 4 pictures, 0 of 255; 63 from ddim
"""

import json
import pathlib
import sys

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    TCDScheduler,
    UNet2DConditionModel,
)
from diffusers.schedulers import scheduling_lcm, scheduling_tcd
from PIL import Image
from safetensors.torch import load_file

OUT = pathlib.Path(sys.argv[1])
MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
SAMPLERS = dict(Ddim=DDIMScheduler, Tcd=TCDScheduler, Lcm=LCMScheduler, Euler=EulerDiscreteScheduler)


def mix(z):
    """SplitMix64's finaliser, of an array."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


class Rng:
    """nodes/diffusion/src/rng.rs: SplitMix64 started from FNV-1a of (seed, purpose, step); normals by Box and Muller."""

    def __init__(self, seed: int, purpose: str, step: int):
        state = 0xCBF29CE484222325
        for byte in seed.to_bytes(8, "little") + purpose.encode() + step.to_bytes(8, "little"):
            state = ((state ^ byte) * 0x100000001B3) & MASK
        self.state = int(mix(np.array([state], dtype=np.uint64))[0])

    def unit(self, n: int):
        with np.errstate(over="ignore"):
            states = np.uint64(self.state) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(GAMMA)
        self.state = (self.state + n * GAMMA) & MASK
        return (mix(states) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def randn(self, shape) -> torch.Tensor:
        count = int(np.prod(shape))
        uniform = self.unit(2 * ((count + 1) // 2))
        radius, angle = np.sqrt(-2.0 * np.log(1.0 - uniform[0::2])), 2.0 * np.pi * uniform[1::2]
        pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return torch.from_numpy(pairs.reshape(-1)[:count].astype(np.float32)).reshape(tuple(shape))


def opened(folder: pathlib.Path):
    """The pipeline; each network is also opened alone, for the keys that are missing or unexpected."""
    index = json.loads((folder / "model_index.json").read_text())
    for name, (_, cls) in ((k, v) for k, v in index.items() if isinstance(v, list) and v[0]):
        if name.startswith(("tokenizer", "scheduler")):
            continue
        library = diffusers if name in ("unet", "vae") else transformers
        _, info = getattr(library, cls).from_pretrained(folder, subfolder=name, output_loading_info=True)
        problems = {k: v for k, v in info.items() if v}
        assert not problems, (name, problems)
    cls = {"StableDiffusionPipeline": StableDiffusionPipeline, "StableDiffusionXLPipeline": StableDiffusionXLPipeline}
    pipe = cls[index["_class_name"]].from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    assert isinstance(pipe.unet, UNet2DConditionModel) and isinstance(pipe.vae, AutoencoderKL)
    return pipe


def load_lora(pipe, path) -> None:
    """`path` is a file, or what is in one. Any warning of any of diffusers' loaders is an error, but that there is nothing for the text encoders; and so is a
    module that got no adapter."""
    problems = []
    unet_only = "No LoRA keys associated to CLIPTextModel"
    loggers = [n for n in diffusers.utils.logging.logging.root.manager.loggerDict if n.startswith("diffusers.loaders")]
    for name in loggers:
        diffusers.utils.logging.get_logger(name).warning = lambda text, *_: text.startswith(unet_only) or problems.append(text)
    pipe.load_lora_weights(dict(path) if isinstance(path, dict) else path)
    assert not problems, problems
    keys = path if isinstance(path, dict) else load_file(path)
    wanted = sum(key.endswith((".lora_down.weight", ".lora_A.weight")) for key in keys)
    found = sum(name.endswith("lora_A.default_0") for name, _ in pipe.unet.named_modules())
    assert wanted == found > 0, (wanted, found)


def draw(pipe, params, seed: int):
    """The pictures of each prompt, `count` of each, with `Sample`'s noise."""
    sampler = params.get("sampler", "Ddim")
    name, eta = (sampler, 0.0) if isinstance(sampler, str) else next(iter(sampler.items()))
    pipe.scheduler = SAMPLERS[name].from_config(pipe.scheduler.config, timestep_spacing="trailing")
    side = params.get("size") or pipe.unet.config.sample_size * pipe.vae_scale_factor
    shape = (1, pipe.unet.config.in_channels, side // pipe.vae_scale_factor, side // pipe.vae_scale_factor)
    for i, prompt in enumerate(params["prompts"]):
        for picture in range(params["count"]):
            rng = Rng(seed, f"Sample/{i}", picture)
            latents = rng.randn(shape)
            for module in (scheduling_tcd, scheduling_lcm):
                module.randn_tensor = lambda size, **_: rng.randn(size)
            yield pipe(
                prompt, negative_prompt=params.get("negative_prompt"), height=side, width=side, latents=latents,
                num_inference_steps=params["steps"], guidance_scale=params["guidance"], eta=eta,
            ).images[0]


def pixels(image):
    return np.asarray(image.convert("RGB")).astype(np.int64)


def drawn(case: pathlib.Path):
    """What `Sample` drew."""
    return [pixels(Image.open(path)) for path in sorted(case.glob("[0-9]*.png"))]


def largest(left, right) -> int:
    return max(int(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


def compare(pipe, case: pathlib.Path, lora=None, name=None) -> None:
    job = json.loads((case / "job.json").read_text())
    if lora:
        load_lora(pipe, lora)
    theirs = [pixels(image) for image in draw(pipe, job["params"], job["seed"])]
    pipe.unload_lora_weights()
    ours, plain = drawn(case), drawn(case.parent / "ddim")
    worst = largest(ours, theirs)
    # What is compared must depend on what the case changes, or agreement says nothing.
    moved = f"; {largest(ours, plain)} from ddim" if ours[0].shape == plain[0].shape else ""
    print(f"    {name or case.name}: {len(ours)} pictures, {worst} of 255{moved}")
    assert worst <= 2


def compare_exports(pipe, folder: pathlib.Path) -> None:
    """Both LoRA files, the model with one of them, and the model that has the LoRA in its weights."""
    case, export = folder / "exported", folder / "export"
    diffusers_file = export / "pytorch_lora_weights.safetensors"
    for name, lora in (
        ("kohya", export / "lora.safetensors"),
        ("diffusers", diffusers_file),
        ("diffusers, its header lost", load_file(diffusers_file)),
    ):
        compare(pipe, case, lora, f"exported, {name}")
    for name, lora in (("model", export / "lora.safetensors"), ("fused", None)):
        again = opened(export / name)
        scheduler = again.scheduler
        compare(again, case, lora, f"exported, {name}")
        sampler = (type(scheduler).__name__, scheduler.config.timestep_spacing)
        assert sampler == (("TCDScheduler", "trailing") if name == "fused" else ("DDIMScheduler", "trailing")), sampler


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    print(f"    torch {torch.__version__}, diffusers {diffusers.__version__}, transformers {transformers.__version__}")
    for folder in sorted(path for path in OUT.iterdir() if path.is_dir()):
        pipe = opened(folder / "model")
        print(f"    {folder.name}: {type(pipe).__name__} opens, no key missing or unexpected")
        for case in sorted(path.parent for path in folder.glob("*/job.json") if path.parent.name != "exported"):
            adapted = "lora" in json.loads((case / "job.json").read_text())["params"]
            compare(pipe, case, folder / "lora/lora.safetensors" if adapted else None)
        if (folder / "export").is_dir():
            compare_exports(pipe, folder)


if __name__ == "__main__":
    main()
