"""Makes fixtures/losses.safetensors: the losses of nodes/diffusion/src/losses, written down anew from the papers' formulas.

Models: the `digits` configuration of unet_configs.py with the formula's weights, its student LoRA "lora.…" as in unet.py,
the average "average.…". Inputs: the formula's. All in float64, so that all of the difference is Rust's float32.

consistency.<prediction>.<weighting>.<distance>   the loss; ….grads: sketches of its gradients by the student's LoRA
consistency.v.stopgrad                            the same with the student as its own target
tcd.<prediction>, pcm.<prediction>, lcm.<prediction>.<weighting>
                                                  the sibling methods, Huber, with the average as target
ema, ema.grads, ema.student, ema.average          three steps of TSCD with AdamW, whose target follows the student: the losses,
                                                  the last gradients, and sketches of how far student and average have moved
denoising.<prediction>                            the same for the denoising loss, with the student's LoRA; ….min_snr:
                                                  weighted by Min-SNR-γ of γ = 5, by diffusers' own compute_snr
matching, matching.grad                           distribution matching and its gradient by x, written out by hand
reward, reward.grad; contrastive, contrastive.grad; contrastive.distinct: the last by torch's own cross-entropy

Run: python tests/parity/losses.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import pathlib

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from safetensors.torch import save_file

import formula
from unet import add_lora, sketch
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
# N = 40 and k = 4: the longest jump, one whose target is the teacher's point, one in the middle, the one that ends at g_0.
START = torch.tensor([999, 774, 374, 24])
PREVIOUS = torch.tensor([974, 749, 349, 0])
END = torch.tensor([749, 749, 249, 0])
TIMES = torch.tensor([999, 400, 20, 0])
# One segment: any earlier point. And k = 2, of which each ends at its segment's start.
TCD_END = torch.tensor([174, 549, 74, 0])
PCM_END = torch.tensor([499, 499, 0, 0])
C = 1e-3
LEAST_GAIN = 0.05

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
ALPHAS_CUMPROD = (1 - BETAS).cumprod(0).double()
SCHEDULER = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def tensor(name, *shape):
    return formula.input(name, shape).double()


def per_sample(values):
    return values.reshape(-1, 1, 1, 1)


def alpha_sigma(t):
    return per_sample(ALPHAS_CUMPROD[t].sqrt()), per_sample((1 - ALPHAS_CUMPROD[t]).sqrt())


def noised(x0, noise, t):
    alpha, sigma = alpha_sigma(t)
    return alpha * x0 + sigma * noise


def jump(prediction, output, x, t, s):
    """One DDIM step without noise."""
    (alpha, sigma), (alpha_s, sigma_s) = alpha_sigma(t), alpha_sigma(s)
    if prediction == "v":
        x0, eps = alpha * x - sigma * output, alpha * output + sigma * x
    else:
        x0, eps = (x - sigma * output) / alpha, output
    return alpha_s * x0 + sigma_s * eps


def gain(prediction, t, s):
    """How far x_s moves when the output moves by one."""
    one = torch.ones(len(t), 1, 1, 1, dtype=torch.float64)
    moved, still = jump(prediction, one, 0 * one, t, s), jump(prediction, 0 * one, 0 * one, t, s)
    return (moved - still).abs()


def build(lora=None):
    unet = UNet2DConditionModel(**CONFIGS["digits"]).eval()
    formula.fill(unet)
    unet.double().requires_grad_(False)
    tensors = {}
    if lora:
        tensors = add_lora(unet)
        for name, parameter in tensors.items():
            parameter.data = formula.weight(f"{lora}.{name}", tuple(parameter.shape)).double()
    return unet, tensors


def grads(tensors):
    rows = []
    for name in sorted(tensors, key=lambda name: name.rsplit(".", 1)):
        gradient = tensors[name].grad
        rows.append(sketch(name, torch.zeros_like(tensors[name]) if gradient is None else gradient))
        tensors[name].grad = None
    return torch.stack(rows)


TEACHER, _ = build()
STUDENT, LORA = build("lora")
AVERAGE, AVERAGE_LORA = build("average")
X0, NOISE = tensor("x0", 4, 1, 8, 8), tensor("noise", 4, 1, 8, 8)
TEXT, EMPTY = tensor("text", 4, 5, 32), tensor("empty", 1, 5, 32)
GUIDANCE = torch.tensor([1.0, 1.5, 3.0, 7.5], dtype=torch.float64)


def solver_step(prediction):
    x = noised(X0, NOISE, START)
    conditional = TEACHER(x, START, TEXT).sample
    unconditional = TEACHER(x, START, EMPTY.expand_as(TEXT)).sample
    guided = unconditional + per_sample(GUIDANCE) * (conditional - unconditional)
    return x, jump(prediction, guided, x, START, PREVIOUS)


def distance_of(ours, target, distance, gains=None):
    difference = ours - target
    each = difference**2 if distance == "mse" else (difference**2 + C**2).sqrt() - C
    if gains is not None:
        each = each / gains.clamp(min=LEAST_GAIN)
    return each.mean()


def trajectories(prediction, target_net, end):
    """Where student and target lead."""
    with torch.no_grad():
        x, x_previous = solver_step(prediction)
        target = jump(prediction, target_net(x_previous, PREVIOUS, TEXT).sample, x_previous, PREVIOUS, end)
        target = torch.where(per_sample(PREVIOUS == end), x_previous, target)
    return jump(prediction, STUDENT(x, START, TEXT).sample, x, START, end), target


def consistency(prediction, weighting, distance, target_net, end=END):
    ours, target = trajectories(prediction, target_net, end)
    gains = gain(prediction, START, end) if weighting == "jump" else None
    loss = distance_of(ours, target, distance, gains)
    loss.backward()
    return loss, grads(LORA)


def lcm(prediction, weighting):
    """f(x, t) = c_skip x + c_out x0, with sigma_data = 0.5 and timesteps counted tenfold."""

    def scalings(t):
        scaled = per_sample(10.0 * t.double())
        return 0.25 / (scaled**2 + 0.25), scaled / (scaled**2 + 0.25).sqrt()

    def x0_of(output, x, t):
        alpha, sigma = alpha_sigma(t)
        return alpha * x - sigma * output if prediction == "v" else (x - sigma * output) / alpha

    def f(output, x, t):
        skip, out = scalings(t)
        return skip * x + out * x0_of(output, x, t)

    with torch.no_grad():
        x, x_previous = solver_step(prediction)
        target = f(AVERAGE(x_previous, PREVIOUS, TEXT).sample, x_previous, PREVIOUS)
    one = torch.ones(4, 1, 1, 1, dtype=torch.float64)
    gains = (f(one, 0 * one, START) - f(0 * one, 0 * one, START)).abs() if weighting == "jump" else None
    loss = distance_of(f(STUDENT(x, START, TEXT).sample, x, START), target, "huber", gains)
    loss.backward()
    return loss, grads(LORA)


def moved(tensors, before):
    names = sorted(tensors, key=lambda name: name.rsplit(".", 1))
    return torch.stack([sketch(name, tensors[name].detach() - before[name]) for name in names])


def ema():
    """The average starts as the student and follows it. AdamW's epsilon is so large that its steps do not blow up what is
    rounding."""
    before = {name: parameter.detach().clone() for name, parameter in LORA.items()}
    average_before = {name: parameter.detach().clone() for name, parameter in AVERAGE_LORA.items()}
    for name in LORA:
        AVERAGE_LORA[name].data = before[name].clone()
    optimiser = torch.optim.AdamW(LORA.values(), lr=0.03, eps=1.0, weight_decay=0.0, foreach=False)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        ours, target = trajectories("v", AVERAGE, END)
        loss = distance_of(ours, target, "mse")
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
        for name in LORA:
            AVERAGE_LORA[name].data = 0.6 * AVERAGE_LORA[name].data + 0.4 * LORA[name].data
    results = {
        "ema": torch.stack(losses), "ema.student": moved(LORA, before),
        "ema.average": moved(AVERAGE_LORA, before),
        "ema.grads": grads(LORA),
    }
    for name in LORA:
        LORA[name].data, AVERAGE_LORA[name].data = before[name], average_before[name]
    return results


def denoising(prediction, gamma=None):
    alpha, sigma = alpha_sigma(TIMES)
    goal = NOISE if prediction == "epsilon" else alpha * NOISE - sigma * X0
    output = STUDENT(noised(X0, NOISE, TIMES), TIMES, TEXT).sample
    if gamma is None:
        loss = F.mse_loss(output, goal)
    else:
        # As the training scripts of diffusers weight it.
        snr = compute_snr(SCHEDULER, TIMES)
        weights = snr.clamp(max=gamma) / (snr if prediction == "epsilon" else snr + 1)
        loss = (F.mse_loss(output, goal, reduction="none").mean(dim=(1, 2, 3)) * weights).mean()
    loss.backward()
    return loss, grads(LORA)


def matching():
    x, real, fake = (tensor(f"matching.{name}", 3, 2, 4, 4) for name in ("x", "real", "fake"))
    # The second picture is one that neither score would change.
    real[1] = fake[1] = x[1]
    gradient = torch.zeros_like(x)
    for i in (0, 2):
        gradient[i] = (fake[i] - real[i]) / (x[i] - real[i]).abs().mean()
    return 0.5 * (gradient**2).mean(), gradient / x.numel()


def reward():
    rewards = tensor("rewards", 7).requires_grad_()
    loss = sum(max(0.25 - r, torch.zeros_like(r)) for r in rewards) / 7
    loss.backward()
    return loss, rewards.grad


def contrastive():
    """For each picture the mean of -log p over the captions that are its own, and the other way round."""
    similarities, captions = tensor("similarities", 5, 5).requires_grad_(), [3, 1, 3, 0, 3]
    total = 0
    for logits in (similarities, similarities.T):
        for i in range(5):
            own = [j for j in range(5) if captions[j] == captions[i]]
            log_p = logits[i] - logits[i].exp().sum().log()
            total = total - sum(log_p[j] for j in own) / len(own)
    loss = total / 10
    loss.backward()
    return loss, similarities.grad


def contrastive_distinct():
    similarities, labels = tensor("similarities", 5, 5), torch.arange(5)
    return (F.cross_entropy(similarities, labels) + F.cross_entropy(similarities.T, labels)) / 2


def main():
    results = {}

    def keep(name, loss, gradient, suffix="grad"):
        results[name], results[f"{name}.{suffix}"] = loss.reshape(1), gradient

    for prediction in ("v", "epsilon"):
        for weighting in ("uniform", "jump"):
            for distance in ("mse", "huber"):
                name = f"consistency.{prediction}.{weighting}.{distance}"
                keep(name, *consistency(prediction, weighting, distance, AVERAGE), "grads")
        keep(f"denoising.{prediction}", *denoising(prediction), "grads")
        keep(f"denoising.{prediction}.min_snr", *denoising(prediction, 5.0), "grads")
    keep("consistency.v.stopgrad", *consistency("v", "uniform", "huber", STUDENT), "grads")
    for prediction in ("v", "epsilon"):
        keep(f"tcd.{prediction}", *consistency(prediction, "uniform", "huber", AVERAGE, TCD_END), "grads")
        keep(f"pcm.{prediction}", *consistency(prediction, "uniform", "huber", AVERAGE, PCM_END), "grads")
        for weighting in ("uniform", "jump"):
            keep(f"lcm.{prediction}.{weighting}", *lcm(prediction, weighting), "grads")
    results |= ema()
    keep("matching", *matching())
    keep("reward", *reward())
    keep("contrastive", *contrastive())
    results["contrastive.distinct"] = contrastive_distinct().reshape(1)
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, FIXTURES / "losses.safetensors")


if __name__ == "__main__":
    main()
