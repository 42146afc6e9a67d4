"""Makes fixtures/scheduler.json.gz and fixtures/scheduler.safetensors, with diffusers as the reference.

scheduler.json.gz      grids: the timesteps of every sampler and spacing, for every number of steps up to 50 and some more;
                       classes: what each scheduler class means where its file is silent; published: the files of
                       published models, each checked here to be the schedule "sd"
scheduler.safetensors  the cumulative alphas, noising and velocity with a timestep per sample, ten steps of every sampler,
                       and what Euler gives to the model at each

The model's output at step i is the formula's input "output.<i>" and the noise of a step "noise.<i>", so that nothing
random is stored. Rust computes in float32 too, the coefficients in float64: 1e-5 of the largest value.

Run: python tests/parity/scheduler.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import gzip
import inspect
import json
import pathlib

import diffusers
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, LCMScheduler, TCDScheduler
from diffusers.schedulers import scheduling_lcm, scheduling_tcd
from safetensors.torch import save_file

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
COUNTS = [*range(1, 51), 61, 64, 75, 99, 100, 103, 121, 128, 200, 250, 333, 500]
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
NO_CLIP = dict(clip_sample=False)
SCHEDULES = {
    "sd": SD,
    "linear": dict(beta_start=0.0001, beta_end=0.02, beta_schedule="linear"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
    "zero_snr": SD | dict(rescale_betas_zero_snr=True),
}
SHAPE = (2, 1, 4, 4)
STEPS = 10

# As published with Stable Diffusion 1.5, 2.1 and SDXL.
PUBLISHED = {
    "sd15": dict(
        _class_name="PNDMScheduler", _diffusers_version="0.6.0", beta_end=0.012, beta_schedule="scaled_linear",
        beta_start=0.00085, num_train_timesteps=1000, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1,
        trained_betas=None, clip_sample=False,
    ),
    "sd21": dict(
        _class_name="DDIMScheduler", _diffusers_version="0.8.0", beta_end=0.012, beta_schedule="scaled_linear",
        beta_start=0.00085, clip_sample=False, num_train_timesteps=1000, prediction_type="v_prediction",
        set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None,
    ),
    "sdxl": dict(
        _class_name="EulerDiscreteScheduler", _diffusers_version="0.19.0.dev0", beta_end=0.012,
        beta_schedule="scaled_linear", beta_start=0.00085, clip_sample=False, interpolation_type="linear",
        num_train_timesteps=1000, prediction_type="epsilon", sample_max_value=1.0, set_alpha_to_one=False,
        skip_prk_steps=True, steps_offset=1, timestep_spacing="leading", trained_betas=None, use_karras_sigmas=False,
    ),
}
# What of a class's defaults says something about the noise, or is read here besides.
FIELDS = [
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "clip_sample", "thresholding",
    "set_alpha_to_one", "steps_offset", "timestep_spacing", "rescale_betas_zero_snr",
]


def grid(scheduler, steps):
    scheduler.set_timesteps(steps)
    return [int(t) if float(t).is_integer() else float(t) for t in scheduler.timesteps]


def grids():
    leading = dict(timestep_spacing="leading", steps_offset=1)
    euler = lambda **spacing: EulerDiscreteScheduler(**SD, **spacing)
    makers = {
        "ddim_leading": lambda: DDIMScheduler(timestep_spacing="leading"),
        "ddim_leading_offset_1": lambda: DDIMScheduler(**leading),
        "ddim_trailing": lambda: DDIMScheduler(timestep_spacing="trailing"),
        "ddim_linspace": lambda: DDIMScheduler(timestep_spacing="linspace"),
        "euler_leading": lambda: euler(timestep_spacing="leading"),
        "euler_leading_offset_1": lambda: euler(**leading),
        "euler_trailing": lambda: euler(timestep_spacing="trailing"),
        "euler_linspace": lambda: euler(timestep_spacing="linspace"),
        "tcd": TCDScheduler,
        "lcm": LCMScheduler,
    }
    limit = {"tcd": 50, "lcm": 50}
    return {
        name: {str(n): grid(make(), n) for n in COUNTS if n <= limit.get(name, 1000)} for name, make in makers.items()
    }


def classes():
    """Those whose noise is defined by betas alone."""
    found = {}
    for name in ["", *(n for n in dir(diffusers) if n.endswith("Scheduler"))]:
        parameters = inspect.signature(getattr(diffusers, name or "DDIMScheduler").__init__).parameters
        if {"beta_start", "prediction_type"} <= parameters.keys() and "snr_shift_scale" not in parameters:
            found[name] = {field: parameters[field].default for field in FIELDS if field in parameters}
    return found


def check_published():
    betas = DDPMScheduler(**SD).alphas_cumprod
    for config in PUBLISHED.values():
        assert torch.equal(getattr(diffusers, config["_class_name"]).from_config(config).alphas_cumprod, betas)


def ten_steps(scheduler, **arguments):
    scheduler.set_timesteps(STEPS)
    noises = iter([formula.input(f"noise.{i}", SHAPE) for i in range(STEPS)])
    for module in (scheduling_tcd, scheduling_lcm):
        module.randn_tensor = lambda *_, **__: next(noises)
    x = formula.input("start", SHAPE) * scheduler.init_noise_sigma
    states = []
    inputs = []
    for i, t in enumerate(scheduler.timesteps):
        inputs.append(scheduler.scale_model_input(x, t))
        x = scheduler.step(formula.input(f"output.{i}", SHAPE), t, x, **arguments).prev_sample
        states.append(x)
    return torch.stack(states), torch.stack(inputs)


def sampled():
    runs = {}

    def run(name, scheduler, **arguments):
        runs[name], inputs = ten_steps(scheduler, **arguments)
        if name.startswith("euler.epsilon"):
            runs[f"{name}.inputs"] = inputs

    for kind in ("epsilon", "v_prediction", "sample"):
        common = SD | dict(prediction_type=kind)
        for spacing in ("leading", "trailing", "linspace"):
            offset = dict(timestep_spacing=spacing, steps_offset=1)
            for one in (False, True):
                ddim = DDIMScheduler(**common, **offset, **NO_CLIP, set_alpha_to_one=one)
                run(f"ddim.{kind}.{spacing}.{one}", ddim)
            run(f"euler.{kind}.{spacing}", EulerDiscreteScheduler(**common, **offset))
        for eta in (0.0, 0.3, 1.0):
            run(f"tcd.{kind}.{eta}", TCDScheduler(**common), eta=eta)
        run(f"lcm.{kind}", LCMScheduler(**common))
    for kind in ("v_prediction", "sample"):
        zero = SCHEDULES["zero_snr"] | dict(prediction_type=kind)
        trailing = dict(timestep_spacing="trailing")
        run(f"zero_snr.{kind}.ddim", DDIMScheduler(**zero, **trailing, **NO_CLIP, set_alpha_to_one=True))
        run(f"zero_snr.{kind}.euler", EulerDiscreteScheduler(**zero, **trailing))
        run(f"zero_snr.{kind}.tcd", TCDScheduler(**zero), eta=0.3)
        run(f"zero_snr.{kind}.lcm", LCMScheduler(**zero))
    return runs


def noised():
    x, noise = formula.input("x0", (4, 2, 3, 3)), formula.input("noise", (4, 2, 3, 3))
    t = torch.tensor([0, 1, 500, 999])
    tensors = {}
    for name, config in SCHEDULES.items():
        scheduler = DDPMScheduler(**config)
        tensors[f"alphas_cumprod.{name}"] = scheduler.alphas_cumprod
        tensors[f"add_noise.{name}"] = scheduler.add_noise(x, noise, t)
        tensors[f"velocity.{name}"] = scheduler.get_velocity(x, noise, t)
    return tensors


def main():
    check_published()
    tensors = sampled() | noised()
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, FIXTURES / "scheduler.safetensors")
    text = json.dumps(dict(grids=grids(), classes=classes(), published=PUBLISHED)) + "\n"
    (FIXTURES / "scheduler.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
