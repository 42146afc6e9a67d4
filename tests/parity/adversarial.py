"""Makes fixtures/adversarial.safetensors: the discriminators of nodes/diffusion/src/discriminator, their hinge losses, and
one step of each player, with diffusers, peft and torch.optim as the reference.

Models and inputs as in losses.py. Discriminators have the formula's weights under the names that Rust gives them: heads
"heads.<block>.…", whose features are what diffusers' blocks return; and "head.…" on a copy of the UNet's encoder, which has
the UNet's own names and weights. Both in float64.

features.<i>                      sketch of what each block makes (down, middle, up)
<form>.real, <form>.fake          sketches of the logits, one row an output
<form>.hinge, <form>.hinge.grads  the discriminator's loss, and sketches of its gradients by its weights, sorted by name
<form>.generator, ….grad          the generator's loss, and its gradient by the fake samples
<form>.step.*                     TSCD (k = 4) with noised points: a step of the discriminator by AdamW with beta (0, 0.999), then
                                  a step of the student against it by AdamW

Run: python tests/parity/adversarial.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import formula
import losses
from losses import END, LORA, STUDENT, TEXT, alpha_sigma, build, distance_of, grads, moved, per_sample, tensor, trajectories
from unet import sketch

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TIMES = torch.tensor([999, 400, 20, 0])
# Of k = 4 and T = 1000: between the end and 249 timesteps above it, or 999.
ADVERSARIAL_TIMES = torch.tensor([998, 749, 300, 17])
GROUPS, WEIGHT = 8, 0.3


class Halving(nn.Conv2d):
    def forward(self, x):
        return super().forward(F.pad(x, (1, 2, 1, 2)))


class FeatureHead(nn.Module):
    def __init__(self, channels, width=2 * GROUPS):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(GROUPS, width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(GROUPS, width)
        self.conv_out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        x = F.leaky_relu(self.norm1(self.conv1(x)), 0.01)
        return self.conv_out(x + F.leaky_relu(self.norm2(self.conv2(x)), 0.01))


class PoolingHead(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.norm1 = Halving(channels, channels, 4, 2), nn.GroupNorm(GROUPS, channels)
        self.conv2, self.norm2 = Halving(channels, channels, 4, 2), nn.GroupNorm(GROUPS, channels)
        self.linear = nn.Linear(channels, 1)

    def forward(self, x):
        x = F.silu(self.norm1(self.conv1(x)))
        return self.linear(F.silu(self.norm2(self.conv2(x))).mean((2, 3)))


def fill(module):
    """The formula's weights, the last ones larger: some logits are then beyond the hinge."""
    formula.fill(module)
    for name, parameter in module.named_parameters():
        if name.endswith(("conv_out.weight", "linear.weight")):
            parameter.data *= 6.0
    module.double()


class Tapped:
    """A UNet and what its blocks made last."""

    def __init__(self):
        self.unet, _ = build()
        self.made = []
        for block in [*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks]:
            block.register_forward_hook(lambda _, __, out: self.made.append(out[0] if isinstance(out, tuple) else out))

    def __call__(self, x, t):
        self.made.clear()
        self.unet(x, t, TEXT)
        return list(self.made)


class Heads:
    def __init__(self):
        self.tapped = Tapped()
        self.module = nn.Module()
        self.module.heads = nn.ModuleList([FeatureHead(channels) for channels in (16, 32, 32, 32, 16)])
        fill(self.module)
        self.parameters = dict(sorted(self.module.named_parameters()))

    def __call__(self, x, t):
        return [head(feature) for head, feature in zip(self.module.heads, self.tapped(x, t))]


class Encoder:
    def __init__(self):
        self.tapped = Tapped()
        self.module = nn.Module()
        self.module.head = PoolingHead(32)
        fill(self.module)
        parts = ("conv_in.", "time_embedding.", "down_blocks.", "mid_block.")
        own = {k: v.requires_grad_() for k, v in self.tapped.unet.named_parameters() if k.startswith(parts)}
        self.parameters = dict(sorted({**own, **dict(self.module.named_parameters())}.items()))

    def __call__(self, x, t):
        return [self.module.head(self.tapped(x, t)[2])]


def rows(tensors):
    return torch.stack([sketch(name, value) for name, value in tensors.items()])


def logits(outputs):
    return rows({f"logits.{i}": output.detach() for i, output in enumerate(outputs)})


def hinge(real, fake):
    each = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake)]
    return sum(each) / len(each)


def against(fake):
    return sum(F.relu(1 - f).mean() for f in fake) / len(fake)


def renoised(x, noise):
    (alpha_s, _), (alpha_t, _) = alpha_sigma(END), alpha_sigma(ADVERSARIAL_TIMES)
    ratio = alpha_t / alpha_s
    return ratio * x + (1 - ratio**2).sqrt() * noise


def steps(discriminator):
    noise, results = tensor("adversarial.noise", 4, 1, 8, 8), {}
    # 1. the discriminator
    before = {name: p.detach().clone() for name, p in discriminator.parameters.items()}
    optimiser = torch.optim.AdamW(
        discriminator.parameters.values(), lr=0.3, betas=(0.0, 0.999), eps=1.0, weight_decay=0.0, foreach=False
    )
    optimiser.zero_grad()
    with torch.no_grad():
        ours, target = trajectories("v", losses.AVERAGE, END)
        fake, real = renoised(ours, noise), renoised(target, noise)
    loss = hinge(discriminator(real, ADVERSARIAL_TIMES), discriminator(fake, ADVERSARIAL_TIMES))
    loss.backward()
    optimiser.step()
    results["hinge"] = loss.reshape(1)
    results["discriminator"] = rows({k: p.detach() - before[k] for k, p in discriminator.parameters.items()})
    # 2. the student
    before = {name: p.detach().clone() for name, p in LORA.items()}
    optimiser = torch.optim.AdamW(LORA.values(), lr=0.3, eps=1.0, weight_decay=0.0, foreach=False)
    optimiser.zero_grad()
    ours, target = trajectories("v", losses.AVERAGE, END)
    adversarial = WEIGHT * against(discriminator(renoised(ours, noise), ADVERSARIAL_TIMES))
    consistency = distance_of(ours, target, "mse")
    (consistency + adversarial).backward()
    optimiser.step()
    results["losses"] = torch.stack([consistency, adversarial])
    results["student"] = moved(LORA, before)
    results["grads"] = grads(LORA)
    for name, parameter in LORA.items():
        parameter.data = before[name]
    return results


def make(name, discriminator):
    results = {}
    real, fake = tensor("real", 4, 1, 8, 8), tensor("fake", 4, 1, 8, 8).requires_grad_()
    outputs = [discriminator(x, TIMES) for x in (real, fake)]
    results["real"], results["fake"] = map(logits, outputs)
    loss = hinge(*outputs)
    loss.backward()
    results["hinge"] = loss.reshape(1)
    results["hinge.grads"] = rows({k: p.grad.clone() for k, p in discriminator.parameters.items()})
    fake.grad = None
    loss = against(discriminator(fake, TIMES))
    loss.backward()
    results["generator"], results["generator.grad"] = loss.reshape(1), fake.grad
    results |= {f"step.{key}": value for key, value in steps(discriminator).items()}
    return {f"{name}.{key}": value for key, value in results.items()}


def main():
    heads = Heads()
    features = heads.tapped(tensor("real", 4, 1, 8, 8), TIMES)
    results = {f"features.{i}": sketch(f"features.{i}", feature.detach()) for i, feature in enumerate(features)}
    results |= make("heads", heads) | make("encoder", Encoder())
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, FIXTURES / "adversarial.safetensors")


if __name__ == "__main__":
    main()
