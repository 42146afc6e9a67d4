"""Makes fixtures/score_distill.safetensors: two steps of score distillation, each an update of the fake score and then one of
the student, written down anew from the papers' formulas (DMD, arXiv 2311.18828; DMD2, arXiv 2405.14867).

Models, schedule and sketches: those of losses.py; the fake score is the LoRA "fake.…", the student "lora.…". Both are trained
by torch.optim.AdamW with clipping by global norm. Inputs are the formula's, "<step>.noise" and so on. All in float64.

<prediction>.fake.<step>, <prediction>.student.<step>   the losses
<prediction>.fake.moved, <prediction>.student.moved     sketches of how far both steps moved the weights
<prediction>.rollout                                    the sample before the third of four steps by backward simulation
                                                        (DMD2, section 4.5) and the picture predicted from it

Run: python tests/parity/score_distill.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import losses
from losses import EMPTY, FIXTURES, GUIDANCE, TEACHER, TEXT, noised, per_sample, tensor
from unet import sketch

SHAPE = (4, 1, 8, 8)
TIMES = {"fake": [[999, 600, 250, 3], [850, 700, 400, 100]], "student": [[979, 640, 300, 20], [900, 500, 200, 60]]}
LR = {"fake": 1e-2, "student": 5e-3}
MAX_NORM = 1.0


def clean(prediction, output, x, t):
    alpha, sigma = losses.alpha_sigma(t)
    return alpha * x - sigma * output if prediction == "v" else (x - sigma * output) / alpha


def one_step(prediction, student, noise):
    t = torch.full((len(noise),), 999)
    output = student(noise, t, TEXT).sample
    x0 = clean(prediction, output, noise, t)
    # DDIM's last step of Stable Diffusion's schedule ends at alphas_cumprod[0].
    alpha, sigma = losses.alpha_sigma(torch.zeros_like(t))
    old_alpha, old_sigma = losses.alpha_sigma(t)
    eps = (noise - old_alpha * x0) / old_sigma
    return alpha * x0 + sigma * eps


def fake_loss(prediction, student, fake, step):
    with torch.no_grad():
        x = one_step(prediction, student, tensor(f"{step}.fake.start", *SHAPE))
    noise, t = tensor(f"{step}.fake.noise", *SHAPE), torch.tensor(TIMES["fake"][step])
    alpha, sigma = losses.alpha_sigma(t)
    goal = alpha * noise - sigma * x if prediction == "v" else noise
    return F.mse_loss(fake(noised(x, noise, t), t, TEXT).sample, goal)


def student_loss(prediction, student, fake, step):
    x = one_step(prediction, student, tensor(f"{step}.student.start", *SHAPE))
    noise, t = tensor(f"{step}.student.noise", *SHAPE), torch.tensor(TIMES["student"][step])
    with torch.no_grad():
        x_t = noised(x, noise, t)
        conditional, unconditional = TEACHER(x_t, t, TEXT).sample, TEACHER(x_t, t, EMPTY.expand_as(TEXT)).sample
        guided = unconditional + per_sample(GUIDANCE) * (conditional - unconditional)
        real = clean(prediction, guided, x_t, t)
        gradient = clean(prediction, fake(x_t, t, TEXT).sample, x_t, t) - real
        gradient = gradient / (x - real).abs().mean(dim=(1, 2, 3), keepdim=True)
    return 0.5 * F.mse_loss(x, x.detach() - gradient)


def update(optimiser, lora, loss):
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(lora.values(), MAX_NORM)
    optimiser.step()
    return loss.detach().reshape(1)


def train(prediction):
    (student, student_lora), (fake, fake_lora) = losses.build("lora"), losses.build("fake")
    loras = {"fake": fake_lora, "student": student_lora}
    starts = {name: {key: weight.detach().clone() for key, weight in lora.items()} for name, lora in loras.items()}
    optimisers = {
        name: torch.optim.AdamW(lora.values(), lr=LR[name], weight_decay=0.01, foreach=False)
        for name, lora in loras.items()
    }
    results = {}
    for step in range(2):
        loss = fake_loss(prediction, student, fake, step)
        results[f"{prediction}.fake.{step}"] = update(optimisers["fake"], fake_lora, loss)
        loss = student_loss(prediction, student, fake, step)
        results[f"{prediction}.student.{step}"] = update(optimisers["student"], student_lora, loss)
    for name, lora in loras.items():
        moved = {key: lora[key].detach() - starts[name][key] for key in sorted(lora, key=lambda key: key.rsplit(".", 1))}
        results[f"{prediction}.{name}.moved"] = torch.stack([sketch(key, change) for key, change in moved.items()])
    return results


def rollout(prediction):
    """Each predicted picture is noised anew to the next timestep, as the student will at inference."""
    student, _ = losses.build("lora")
    x = tensor("rollout.start", *SHAPE)
    with torch.no_grad():
        for i, (t, following) in enumerate([(999, 759), (759, 499)]):
            at = lambda t: torch.full((len(x),), t)
            x0 = clean(prediction, student(x, at(t), TEXT).sample, x, at(t))
            x = noised(x0, tensor(f"rollout.fresh.{i}", *SHAPE), at(following))
        picture = clean(prediction, student(x, at(499), TEXT).sample, x, at(499))
    return torch.stack([x, picture])


def main():
    results = {}
    for prediction in ("v", "epsilon"):
        results |= train(prediction)
        results[f"{prediction}.rollout"] = rollout(prediction)
    results = {k: v.detach().float().contiguous() for k, v in results.items()}
    save_file(results, FIXTURES / "score_distill.safetensors")


if __name__ == "__main__":
    main()
