"""Makes fixtures/feedback.safetensors: a step of reward feedback learning (ReFL, arXiv 2304.05977, algorithm 1; Hyper-SD, §3.2)
on a student of four steps, with the rewards that are not from other packages, written down anew.

The model: the `digits` configuration of unet_configs.py with the formula's weights, the frozen student "lora.…" as in unet.py,
and on top of it the trained delta "delta.…", two adapters of peft. The classifier: as nodes/diffusion/src/classifier.rs
describes it, in torch's own layers. Inputs: the formula's. All in float64, so that all of the difference is Rust's float32.

classifier, classifier.grad                the log-probabilities of the captions' classes, and their gradient by the pictures
brightness, brightness.grad                the same of the mean brightness
<prediction>.own, <prediction>.before      x0 at the third of four steps, by the student with and without the delta
<prediction>.losses                        of the classifier, the brightness and the anchor, weighted
<prediction>.grads                         sketches of the gradients of their sum by the delta
<prediction>.step                          sketches of what one step of torch's AdamW, after clipping, adds to the delta

Run: python tests/parity/feedback.py  (torch 2.11, diffusers 0.42, peft 0.21; on the CPU)
"""

import pathlib

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file

import formula
from losses import jump, per_sample, ALPHAS_CUMPROD
from unet import ALPHA, RANK, TARGETS, sketch
from unet_configs import CONFIGS

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
# The "trailing" grid of four steps; the third has the gradient.
TIMES = [999, 749, 499, 249]
STEP = 2
CLASSES = torch.tensor([2, 0, 2])
# (weight, threshold) of each reward; some pictures are above it, some below.
CLASSIFIER, BRIGHTNESS, ANCHOR = (0.5, -1.0), (2.0, 0.7), 0.3
LR, WEIGHT_DECAY, CLIP, EPS = 1e-2, 0.1, 0.05, 1e-3


class Classifier(torch.nn.Module):
    def __init__(self, channels=1, width=4, features=8, classes=3):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, width, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(width, 2 * width, 3, padding=1)
        self.conv3 = torch.nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.hidden = torch.nn.Linear(2 * width * 16, features)
        self.out = torch.nn.Linear(features, classes)

    def forward(self, x):
        x = F.adaptive_max_pool2d(self.conv2(self.conv1(x).relu()).relu(), 4)
        return self.out(self.hidden(self.conv3(x).relu().flatten(1)).relu())


def classifier():
    model = Classifier().double().eval().requires_grad_(False)
    formula.fill(model)
    return model


def tensor(name, *shape):
    return formula.input(name, shape).double()


def log_probability(model, pictures):
    p = model(pictures).exp()
    p = p / p.sum(1, keepdim=True)
    return p[torch.arange(len(pictures)), CLASSES].log()


def brightness(pictures):
    return torch.stack([(picture.sum() / picture.numel() + 1) / 2 for picture in pictures])


def adapted():
    unet = UNet2DConditionModel(**CONFIGS["digits"]).eval()
    formula.fill(unet)
    unet.double().requires_grad_(False)
    delta = {}
    for adapter, key in (("student", "lora"), ("delta", "delta")):
        config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, init_lora_weights=False)
        unet.add_adapter(config, adapter_name=adapter)
        for name, parameter in unet.named_parameters():
            parts = {f".lora_A.{adapter}.weight": ".down", f".lora_B.{adapter}.weight": ".up"}
            for old, new in parts.items():
                if name.endswith(old):
                    name = name.removesuffix(old) + new
                    parameter.data = formula.weight(f"{key}.{name}", tuple(parameter.shape)).double()
                    if adapter == "delta":
                        delta[name] = parameter
    return unet, dict(sorted(delta.items(), key=lambda item: item[0].rsplit(".", 1)))


def x0_of(prediction, output, x, t):
    alpha, sigma = per_sample(ALPHAS_CUMPROD[t].sqrt()), per_sample((1 - ALPHAS_CUMPROD[t]).sqrt())
    return alpha * x - sigma * output if prediction == "v" else (x - sigma * output) / alpha


def step(prediction):
    unet, delta = adapted()
    judge, text = classifier(), tensor("text", 3, 5, 32)

    def output(x, t, adapters):
        unet.set_adapters(adapters)
        return unet(x, t, text).sample

    x = tensor("noise", 3, 1, 8, 8)
    with torch.no_grad():
        for t, s in zip(TIMES[:STEP], TIMES[1:]):
            t, s = torch.tensor([t]), torch.tensor([s])
            x = jump(prediction, output(x, t, ["student", "delta"]), x, t, s)
        t = torch.tensor([TIMES[STEP]])
        before = x0_of(prediction, output(x, t, ["student"]), x, t)
    own = x0_of(prediction, output(x, t, ["student", "delta"]), x, t)
    missed = lambda rewards, weight, threshold: weight * (threshold - rewards).clamp(min=0).mean()
    losses = torch.stack([
        missed(log_probability(judge, own), *CLASSIFIER),
        missed(brightness(own), *BRIGHTNESS),
        ANCHOR * ((own - before) ** 2).mean(),
    ])
    optimiser = torch.optim.AdamW(delta.values(), lr=LR, weight_decay=WEIGHT_DECAY, eps=EPS)
    losses.sum().backward()
    grads = torch.stack([sketch(name, parameter.grad) for name, parameter in delta.items()])
    old = {name: parameter.detach().clone() for name, parameter in delta.items()}
    torch.nn.utils.clip_grad_norm_(delta.values(), CLIP)
    optimiser.step()
    moved = torch.stack([sketch(name, parameter.detach() - old[name]) for name, parameter in delta.items()])
    return {"own": own, "before": before, "losses": losses, "grads": grads, "step": moved}


def main():
    results = {}
    judge = classifier()
    for name, score in (("classifier", lambda x: log_probability(judge, x)), ("brightness", brightness)):
        pictures = (tensor("pictures", 3, 1, 9, 11) / 3**0.5).requires_grad_()
        results[name] = score(pictures)
        (results[name] * tensor("loss", 3)).sum().backward()
        results[f"{name}.grad"] = pictures.grad
    for prediction in ("v", "epsilon"):
        results |= {f"{prediction}.{name}": value for name, value in step(prediction).items()}
        print(prediction, results[f"{prediction}.losses"].tolist())
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, FIXTURES / "feedback.safetensors")


if __name__ == "__main__":
    main()
