"""Makes fixtures/segmentation.safetensors: the small segmentation network, its losses, and the visual-perception term.

The network is written down anew from the text of nodes/diffusion/src/segmentation/conv_segmenter.rs, the losses from their
papers. Weights and inputs: the formula's. All in float64, so that all of the difference is Rust's float32.

logits.<side>                       of pictures of 3 channels; odd sides, too
mask_loss, mask_loss.grad           binary cross-entropy plus Dice, and the gradient by the logits
dice, dice.grad                     Dice alone, once with an empty mask
iou                                 intersection over union, once with both empty
train.grads                         sketches of the gradients by the network's weights
perception.<prediction>, ….grads    the loss of what the student of losses.py makes of noised pictures in one step, each at a
                                    timestep of its own, and sketches of its gradients by the student's LoRA

Run: python tests/parity/segmentation.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import formula
from losses import FIXTURES, LORA, NOISE, STUDENT, TEXT, X0, alpha_sigma, grads, noised, tensor
from unet import sketch

TIMES = torch.tensor([749, 499, 374, 124])


class ConvSegmenter(nn.Module):
    def __init__(self, channels, width, levels):
        super().__init__()
        wide = [width * 2**level for level in range(levels + 1)]
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(wide[i], wide[i + 1], 3, stride=2, padding=1) for i in range(levels))
        # By level, the finest first.
        self.up = nn.ModuleList(nn.Conv2d(wide[i + 1] + wide[i], wide[i], 3, padding=1) for i in range(levels))
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skips, x = [], F.silu(self.stem(x))
        for down in self.down:
            skips.append(x)
            x = F.silu(down(x))
        for up, skip in zip(reversed(self.up), reversed(skips)):
            x = F.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = F.silu(up(torch.cat([x, skip], 1)))
        return self.out(x)


def segmenter(channels):
    network = ConvSegmenter(channels, 4, 2)
    formula.fill(network)
    return network.double()


def dice_loss(logits, masks):
    p = torch.sigmoid(logits)
    losses = []
    for p, q in zip(p, masks):
        losses.append(1 - (2 * (p * q).sum() + 1) / ((p**2).sum() + (q**2).sum() + 1))
    return sum(losses) / len(losses)


def mask_loss(logits, masks):
    p = torch.sigmoid(logits)
    return -(masks * p.log() + (1 - masks) * (1 - p).log()).mean() + dice_loss(logits, masks)


def iou(logits, masks):
    rows = []
    for logit, mask in zip(logits > 0, masks > 0.5):
        union = (logit | mask).sum().item()
        rows.append((logit & mask).sum().item() / union if union else 1.0)
    return torch.tensor(rows)


def masks(name, *shape):
    """Soft ones."""
    return torch.sigmoid(4 * tensor(name, *shape))


def perception(prediction):
    x_t = noised(X0, NOISE, TIMES)
    output = STUDENT(x_t, TIMES, TEXT).sample
    alpha, sigma = alpha_sigma(TIMES)
    x0 = alpha * x_t - sigma * output if prediction == "v" else (x_t - sigma * output) / alpha
    network = segmenter(1).requires_grad_(False)
    loss = mask_loss(network(x0), masks("masks", 4, 1, 8, 8))
    loss.backward()
    return loss, grads(LORA)


def with_gradient(loss, logits, target):
    logits = logits.clone().requires_grad_()
    value = loss(logits, target)
    value.backward()
    return value, logits.grad


def main():
    out = {}
    network = segmenter(3)
    for side in (8, 13):
        out[f"logits.{side}"] = network(tensor(f"pictures.{side}", 2, 3, side, side)).detach()
    logits, target = 3 * tensor("logits", 3, 1, 6, 6), masks("target", 3, 1, 6, 6)
    logits[2], target[1], target[2] = -logits[2].abs(), 0.0, 0.0
    for name, loss in (("mask_loss", mask_loss), ("dice", dice_loss)):
        out[name], out[f"{name}.grad"] = with_gradient(loss, logits, target)
    out["iou"] = iou(logits, target)
    mask_loss(network(tensor("pictures.8", 2, 3, 8, 8)), masks("masks.8", 2, 1, 8, 8)).backward()
    parameters = sorted(network.named_parameters())
    out["train.grads"] = torch.stack([sketch(name, parameter.grad) for name, parameter in parameters])
    for prediction in ("epsilon", "v"):
        out[f"perception.{prediction}"], out[f"perception.{prediction}.grads"] = perception(prediction)
    rows = {name: value.detach().reshape(value.shape or (1,)).float().contiguous() for name, value in out.items()}
    save_file(rows, FIXTURES / "segmentation.safetensors")


if __name__ == "__main__":
    main()
