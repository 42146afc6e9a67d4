"""A step of TSCD in PyTorch eager, as a careful trainer writes it: diffusers' UNet, peft's LoRA, fused AdamW, foreach EMA.

`step.py` starts it with a setup as JSON, and asks by lines on standard input: each is a number of steps, the answer the
CPU seconds that they took. Teacher, student and average share their frozen weights; nobody switches adapters.
"""

import json
import sys
import time

import torch

TARGETS = [
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
    "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
]


def share(model, base):
    """Gives a model with adapters the very tensors of the base."""
    ours = dict(base.named_parameters())
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            parameter.data = ours[name.replace("base_layer.", "")].data


class Step:
    def __init__(self, setup):
        from diffusers import DDPMScheduler, UNet2DConditionModel
        from peft import LoraConfig

        torch.set_num_threads(setup["threads"])
        # Random weights cost what others do.
        make = lambda: UNet2DConditionModel.from_config(setup["unet"]).requires_grad_(False)
        self.teacher, self.student, self.average = make(), make(), make()
        for model in (self.student, self.average):
            model.add_adapter(LoraConfig(r=setup["rank"], lora_alpha=setup["rank"], target_modules=TARGETS))
            share(model, self.teacher)
        self.average.requires_grad_(False)
        self.student.train()
        self.trained = [p for p in self.student.parameters() if p.requires_grad]
        self.averaged = [p for n, p in self.average.named_parameters() if "lora_" in n]
        self.optimiser = torch.optim.AdamW(self.trained, lr=1e-4, weight_decay=0.0, fused=True)
        self.alphas = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
        config, batch = self.teacher.config, setup["batch"]
        side = config.sample_size
        self.x0 = torch.randn(batch, config.in_channels, side, side)
        self.text = torch.randn(batch, setup["tokens"], config.cross_attention_dim)
        self.empty = torch.randn(1, setup["tokens"], config.cross_attention_dim).expand_as(self.text)

    def scales(self, t):
        alpha = torch.where(t < 0, torch.ones(()), self.alphas[t.clamp_min(0)]).view(-1, 1, 1, 1)
        return alpha.sqrt(), (1 - alpha).sqrt()

    def jump(self, output, x, t, s):
        """DDIM from t to s, by a prediction of v."""
        (alpha, sigma), (alpha_s, sigma_s) = self.scales(t), self.scales(s)
        return alpha_s * (alpha * x - sigma * output) + sigma_s * (alpha * output + sigma * x)

    def loss(self):
        batch, both = len(self.x0), lambda x: torch.cat([x, x])
        n = torch.randint(1, 41, (batch,))
        start, previous = n * 25 - 1, (n - 1) * 25 - 1
        end = (torch.rand(batch) * n).long() * 25 - 1
        with torch.no_grad():
            alpha, sigma = self.scales(start)
            x = alpha * self.x0 + sigma * torch.randn_like(self.x0)
            guided, free = self.teacher(both(x), both(start), torch.cat([self.text, self.empty])).sample.chunk(2)
            w = 5 + 4 * torch.rand(batch, 1, 1, 1)
            x_previous = self.jump(free + w * (guided - free), x, start, previous)
            output = self.average(x_previous, previous.clamp_min(0), self.text).sample
            goal = self.jump(output, x_previous, previous, end)
        prediction = self.jump(self.student(x, start, self.text).sample, x, start, end)
        return torch.nn.functional.mse_loss(prediction, goal)

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=False)
        loss = self.loss()
        value = loss.item()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0, foreach=True)
        self.optimiser.step()
        torch._foreach_lerp_(self.averaged, self.trained, 0.01)
        return value


def main():
    step = Step(json.loads(sys.argv[1]))
    step()
    print(json.dumps({"parameters": sum(p.numel() for p in step.teacher.parameters())}), flush=True)
    for line in sys.stdin:
        began = time.process_time()
        for _ in range(int(line)):
            step()
        print(json.dumps({"seconds": time.process_time() - began}), flush=True)


if __name__ == "__main__":
    main()
