"""Makes fixtures/scheduler.json (every timestep grid) and fixtures/scheduler.safetensors: the cumulative alphas, noising
and velocity with a timestep per sample, and ten steps of every sampler, with diffusers as the reference.

The model's output at step i is the formula's input "output.<i>" and the noise of a step "noise.<i>", so that nothing
random is stored. Rust computes in float32 too, the coefficients in float64: 1e-5 of the largest value.

Run: python tests/parity/scheduler.py  (torch 2.11, diffusers 0.42; on the CPU)
"""

import json
import pathlib

import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, LCMScheduler, TCDScheduler
from diffusers.schedulers import scheduling_lcm, scheduling_tcd
from safetensors.torch import save_file

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
COUNTS = [*range(1, 31), 33, 40, 47, 49, 50, 61, 64, 75, 100, 103, 121, 200]
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


def grid(scheduler, steps):
    scheduler.set_timesteps(steps)
    return [int(t) if float(t).is_integer() else float(t) for t in scheduler.timesteps]


def grids():
    leading = dict(timestep_spacing="leading", steps_offset=1)
    makers = {
        "ddim_leading": lambda: DDIMScheduler(timestep_spacing="leading"),
        "ddim_leading_offset_1": lambda: DDIMScheduler(**leading),
        "ddim_trailing": lambda: DDIMScheduler(timestep_spacing="trailing"),
        "ddim_linspace": lambda: DDIMScheduler(timestep_spacing="linspace"),
        "euler_leading_offset_1": lambda: EulerDiscreteScheduler(**SD, **leading),
        "euler_trailing": lambda: EulerDiscreteScheduler(**SD, timestep_spacing="trailing"),
        "euler_linspace": lambda: EulerDiscreteScheduler(**SD, timestep_spacing="linspace"),
        "tcd": TCDScheduler,
        "lcm": LCMScheduler,
    }
    limit = {"tcd": 50, "lcm": 50}
    return {
        name: {str(n): grid(make(), n) for n in COUNTS if n <= limit.get(name, 1000)} for name, make in makers.items()
    }


def ten_steps(scheduler, **arguments):
    scheduler.set_timesteps(STEPS)
    noises = iter([formula.input(f"noise.{i}", SHAPE) for i in range(STEPS)])
    for module in (scheduling_tcd, scheduling_lcm):
        module.randn_tensor = lambda *_, **__: next(noises)
    x = formula.input("start", SHAPE) * scheduler.init_noise_sigma
    states = []
    for i, t in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(x, t)
        x = scheduler.step(formula.input(f"output.{i}", SHAPE), t, x, **arguments).prev_sample
        states.append(x)
    return torch.stack(states)


def sampled():
    runs = {}
    for kind in ("epsilon", "v_prediction", "sample"):
        common = SD | dict(prediction_type=kind)
        for spacing in ("leading", "trailing", "linspace"):
            offset = dict(timestep_spacing=spacing, steps_offset=1)
            for one in (False, True):
                ddim = DDIMScheduler(**common, **offset, **NO_CLIP, set_alpha_to_one=one)
                runs[f"ddim.{kind}.{spacing}.{one}"] = ten_steps(ddim)
            runs[f"euler.{kind}.{spacing}"] = ten_steps(EulerDiscreteScheduler(**common, **offset))
        for eta in (0.0, 0.3, 1.0):
            runs[f"tcd.{kind}.{eta}"] = ten_steps(TCDScheduler(**common), eta=eta)
        runs[f"lcm.{kind}"] = ten_steps(LCMScheduler(**common))
    zero = SCHEDULES["zero_snr"] | dict(prediction_type="v_prediction", timestep_spacing="trailing")
    runs["zero_snr.ddim"] = ten_steps(DDIMScheduler(**zero, **NO_CLIP, set_alpha_to_one=True))
    runs["zero_snr.euler"] = ten_steps(EulerDiscreteScheduler(**zero))
    return runs


def noised():
    scheduler = DDPMScheduler(**SD)
    x, noise = formula.input("x0", (4, 2, 3, 3)), formula.input("noise", (4, 2, 3, 3))
    t = torch.tensor([0, 1, 500, 999])
    return {"add_noise": scheduler.add_noise(x, noise, t), "velocity": scheduler.get_velocity(x, noise, t)}


def main():
    tensors = {f"alphas_cumprod.{name}": DDPMScheduler(**c).alphas_cumprod for name, c in SCHEDULES.items()}
    tensors |= sampled() | noised()
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, FIXTURES / "scheduler.safetensors")
    (FIXTURES / "scheduler.json").write_text(json.dumps(grids()) + "\n")


if __name__ == "__main__":
    main()
