"""Makes fixtures/lora_convert.json.gz: adapters that are no plain LoRA, on the "sd15" configuration of unet_configs.py with
weights by the formula, and what `convert: Svd(rank)` must make of them.

A case
  tensors   as in lora_spellings.py
  alpha     the alpha that the user gives
  metadata  texts of the header
  rank      the rank of the LoRA that it becomes
  delta     {module: norm and products of unet.sketch} of what the adapter adds to the weight
  nearest   the same of its nearest matrix of that rank (numpy's SVD in float64)
  error     {module: ‖ΔW − nearest‖ / ‖ΔW‖}, and "total" over all modules
  apart     {program: how far what it adds is from `delta`, relative to the longest}, of the programs that load the file

`delta` is computed here from the closed forms, and compared with what peft (its DoRA in a UNet of diffusers, its own
products for a LoKr) and ComfyUI make of the same file: below 1e-5. ComfyUI does not in two cases, and `apart` says by how
much. For a DoRA with a magnitude for each output it takes the length of W for that of W + ΔW; peft and LyCORIS do as the
paper has it. Of a LoKr with a core (`lokr_t2`) it logs an error and adds nothing.

Run: python tests/parity/lora_convert.py PATH_OF_A_COMFYUI_CHECKOUT  (torch 2.11, diffusers 0.42.1, peft 0.21.2; ComfyUI
0.3.76)
"""

import gzip
import json
import pathlib
import sys
import warnings

import numpy as np
import torch
from diffusers.utils import logging

import comfyui
import formula
import lora_spellings as spellings
from unet import sketch

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "lora_convert.json.gz"
BLOCK = "down_blocks.0.attentions.0"
QUERY, VALUE = f"{BLOCK}.transformer_blocks.0.attn1.to_q", f"{BLOCK}.transformer_blocks.0.attn1.to_v"
FEED, POINT = f"{BLOCK}.transformer_blocks.0.ff.net.2", f"{BLOCK}.proj_in"
CONV, SKIP = "down_blocks.1.resnets.0.conv1", "down_blocks.1.resnets.0.conv_shortcut"
ALPHA = 1.5


def name(path):
    return "lora_unet_" + path.replace(".", "_")


def tensors(path, **shapes):
    """Of an adapter of kohya's naming: {part with __ for a dot: shape, or a number}"""
    found = {}
    for part, shape in shapes.items():
        part = part.replace("__", ".")
        described = [[], shape, "F32"] if isinstance(shape, float) else [shape, f"{path}.{part}", "F32"]
        found[f"{name(path)}.{part}"] = described
    return found


def lora(path, shape, rank, alpha=ALPHA, **more):
    return tensors(
        path, lora_down__weight=[rank, *shape[1:]], lora_up__weight=[shape[0], rank, *[1] * (len(shape) - 2)],
        alpha=alpha, **more,
    )


def loha(path, shape, rank, core=False, **more):
    out, inner = shape[0], int(np.prod(shape[1:]))
    if core:
        sizes = dict(hada_w1_a=[rank, out], hada_w1_b=[rank, shape[1]], hada_t1=[rank, rank, *shape[2:]])
    else:
        sizes = dict(hada_w1_a=[out, rank], hada_w1_b=[rank, inner])
    second = {key.replace("w1", "w2").replace("t1", "t2"): value for key, value in sizes.items()}
    return tensors(path, **sizes, **second, alpha=ALPHA, **more)


def cases(shapes):
    wide = shapes[CONV]
    out, inner, side, _ = wide
    peft = lambda path: "unet." + path
    dora = lambda path, magnitude: {
        f"{peft(path)}.lora_A.weight": [[2, *shapes[path][1:]], f"{path}.A", "F32"],
        f"{peft(path)}.lora_B.weight": [[shapes[path][0], 2, *[1] * (len(shapes[path]) - 2)], f"{path}.B", "F32"],
        f"{peft(path)}.lora_magnitude_vector": [magnitude, f"{path}.magnitude.weight", "F32"],
    }
    return {
        "LoCon of three factors": dict(
            tensors=tensors(
                CONV, lora_down__weight=[3, inner, 1, 1], lora_mid__weight=[3, 3, side, side],
                lora_up__weight=[out, 3, 1, 1], alpha=ALPHA,
            ) | lora(QUERY, shapes[QUERY], 4),
            rank=2,
        ),
        "LoHa": dict(tensors=loha(QUERY, shapes[QUERY], 2) | loha(CONV, wide, 2) | loha(POINT, shapes[POINT], 2), rank=3),
        "LoHa with cores": dict(tensors=loha(CONV, wide, 2, core=True) | loha(FEED, shapes[FEED], 2), rank=3),
        "LoKr": dict(
            tensors=tensors(QUERY, lokr_w1=[2, 2], lokr_w2=[shapes[QUERY][0] // 2, shapes[QUERY][1] // 2], alpha=ALPHA)
            | tensors(FEED, lokr_w1=[2, 2], lokr_w2_a=[shapes[FEED][0] // 2, 3], lokr_w2_b=[3, shapes[FEED][1] // 2], alpha=ALPHA)
            | tensors(
                VALUE, lokr_w1_a=[4, 2], lokr_w1_b=[2, 4], lokr_w2_a=[shapes[VALUE][0] // 4, 1],
                lokr_w2_b=[1, shapes[VALUE][1] // 4], alpha=ALPHA,
            ),
            rank=3,
        ),
        "LoKr of convolutions": dict(
            tensors=tensors(
                CONV, lokr_w1=[2, 2], lokr_w2_a=[2, out // 2], lokr_w2_b=[2, inner // 2], lokr_t2=[2, 2, side, side], alpha=ALPHA
            )
            | tensors(SKIP, lokr_w1=[4, 2], lokr_w2=[shapes[SKIP][0] // 4, shapes[SKIP][1] // 2, 1, 1], alpha=ALPHA),
            rank=4,
        ),
        "DoRA by inputs": dict(
            tensors=lora(QUERY, shapes[QUERY], 2, dora_scale=[1, shapes[QUERY][1]])
            | lora(CONV, wide, 2, dora_scale=[1, inner, 1, 1]) | lora(FEED, shapes[FEED], 2),
            rank=4,
        ),
        "DoRA by outputs": dict(
            tensors=lora(QUERY, shapes[QUERY], 2, dora_scale=[shapes[QUERY][0], 1])
            | lora(CONV, wide, 2, dora_scale=[out, 1, 1, 1]),
            rank=4,
        ),
        "DoRA by peft": dict(
            tensors=dora(QUERY, [shapes[QUERY][0]]) | dora(CONV, [1, out, 1, 1]) | dora(FEED, [shapes[FEED][0]]), alpha=2.0,
            rank=4,
        ),
        "LoHa with magnitudes": dict(tensors=loha(QUERY, shapes[QUERY], 2, dora_scale=[1, shapes[QUERY][1]]), rank=8),
    }


# 1. The closed forms, in float64.
class Adapter:
    def __init__(self, case, path, shape, weight):
        self.shape, self.weight, self.given = shape, weight.double(), case.get("alpha")
        own = (name(path) + ".", "unet." + path + ".")
        self.parts = {
            key.removeprefix(prefix): spellings.tensor(*value).double()
            for prefix in own for key, value in case["tensors"].items() if key.startswith(prefix)
        }

    def alpha(self, rank):
        return self.parts["alpha"].item() if "alpha" in self.parts else self.given or rank

    def product(self, a, b, core):
        a, b = self.parts[a], self.parts[b]
        if core not in self.parts:
            return a @ b
        return torch.einsum("ijkl,ip,jr->prkl", self.parts[core], a, b)

    def kronecker_factor(self, which):
        if f"lokr_w{which}" in self.parts:
            return self.parts[f"lokr_w{which}"], None
        pair = [f"lokr_w{which}_a", f"lokr_w{which}_b"]
        return self.product(*pair, f"lokr_t{which}"), len(self.parts[pair[1]])

    def added(self):
        """Without magnitudes."""
        p = self.parts
        if "hada_w1_a" in p:
            rank = len(p["hada_w1_b"])
            both = self.product("hada_w1_a", "hada_w1_b", "hada_t1") * self.product("hada_w2_a", "hada_w2_b", "hada_t2")
            return both.reshape(self.shape) * self.alpha(rank) / rank
        if any(part.startswith("lokr") for part in p):
            (one, first), (two, second) = self.kronecker_factor(1), self.kronecker_factor(2)
            rank = second or first
            blocks = one.reshape(*one.shape, *[1] * (two.dim() - 2)) if two.dim() > 2 else one
            return torch.kron(blocks, two.contiguous()).reshape(self.shape) * (self.alpha(rank) / rank if rank else 1.0)
        down, up = (p[part].flatten(1) for part in (("lora_A.weight", "lora_B.weight") if "lora_A.weight" in p else ("lora_down.weight", "lora_up.weight")))
        scale = self.alpha(len(down)) / len(down)
        if "lora_mid.weight" in p:
            return scale * torch.einsum("op,pqkl,qi->oikl", up, p["lora_mid.weight"], down)
        return (scale * up @ down).reshape(self.shape)

    def delta(self):
        delta, p = self.added(), self.parts
        magnitude = p.get("dora_scale", p.get("lora_magnitude_vector"))
        if magnitude is None:
            return delta
        by_output = "lora_magnitude_vector" in p or len(magnitude) == self.shape[0]
        changed, kept = self.weight + delta, 0 if by_output else 1
        norm = torch.linalg.vector_norm(changed, dim=[d for d in range(len(self.shape)) if d != kept], keepdim=True)
        return magnitude.reshape([-1 if d == kept else 1 for d in range(len(self.shape))]) * changed / norm - self.weight


def nearest(delta, rank):
    u, s, v = np.linalg.svd(delta.flatten(1).numpy(), full_matrices=False)
    kept = torch.from_numpy((u[:, :rank] * s[:rank]) @ v[:rank]).reshape(delta.shape)
    return kept, float((s[rank:] ** 2).sum()), float((s**2).sum())


# 2. The programs.
def by_peft(model, case, weights):
    """What a UNet of diffusers has in place of its weights, less these."""
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

    unet = UNet2DConditionModel(**spellings.CONFIGS[model.name])
    formula.fill(unet)
    StableDiffusionPipeline.load_lora_into_unet(spellings.state(case), network_alphas=None, unet=unet)
    layers = {path: m for path, m in unet.named_modules() if hasattr(m, "lora_A")}
    for layer in layers.values():
        layer.merge()
    return {path: layer.get_base_layer().weight.detach().double() - weights[path] for path, layer in layers.items()}


def by_peft_lokr(model, case, weights):
    from peft.tuners.lokr.layer import make_kron, make_weight_cp

    found = {}
    for path in (CONV, SKIP):
        parts = Adapter(case, path, model.shapes[path], weights[path]).parts
        if "lokr_t2" in parts:
            rank = len(parts["lokr_w2_b"])
            two, scale = make_weight_cp(parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"]), ALPHA / rank
        else:
            two, scale = parts["lokr_w2"], 1.0
        found[path] = make_kron(parts["lokr_w1"], two, scale)
    return found


def by_comfyui(model, case, weights):
    import comfy.lora
    import comfy.sd

    loaded, _ = comfy.sd.load_lora_for_models(model.patcher, None, spellings.state(case), 1.0, 0.0)
    found = {}
    for key, patches in loaded.patches.items():
        path = model.comfy_names[key]
        changed = comfy.lora.calculate_weight(patches, weights[path].float().clone(), key)
        found[path] = changed.double() - weights[path]
    return found


PROGRAMS = {"DoRA by peft": {"peft": by_peft}, "LoKr of convolutions": {"peft": by_peft_lokr, "comfyui": by_comfyui}}
OTHERWISE = {("DoRA by outputs", "comfyui"), ("LoKr of convolutions", "comfyui")}


def apart(found, deltas):
    longest = max(delta.norm() for delta in deltas.values())
    return max(((found[path] - delta).norm() / longest).item() for path, delta in deltas.items())


def filled(title, model, case, weights):
    paths = sorted(path for path in model.shapes if any(key.startswith((name(path) + ".", f"unet.{path}.")) for key in case["tensors"]))
    deltas = {path: Adapter(case, path, model.shapes[path], weights[path]).delta() for path in paths}
    kept = {path: nearest(delta, case["rank"]) for path, delta in deltas.items()}
    error = {path: (lost / whole) ** 0.5 for path, (_, lost, whole) in kept.items()}
    error["total"] = (sum(lost for _, lost, _ in kept.values()) / sum(whole for *_, whole in kept.values())) ** 0.5
    differs = {}
    programs = PROGRAMS.get(title, {"comfyui": by_comfyui})
    for program, load in programs.items():
        differs[program] = apart(load(model, case, weights), deltas)
        if (title, program) not in OTHERWISE:
            assert differs[program] < 1e-5, f"{title}: {program} differs by {differs[program]}"
    print(f"{title}: error {error['total']:.3f}; apart {differs}")
    sketched = lambda all_: {path: [float(f"{x:.9e}") for x in sketch(path, delta).tolist()] for path, delta in all_.items()}
    nearest_ = {path: near for path, (near, *_) in kept.items()}
    return {**case, "delta": sketched(deltas), "nearest": sketched(nearest_), "error": error, "apart": differs}


if __name__ == "__main__":
    logging.set_verbosity(logging.CRITICAL)
    warnings.simplefilter("ignore")
    comfyui.bring(pathlib.Path(sys.argv[1]))
    small = spellings.Model("sd15")
    formula.fill(small.unet)
    parameters = {path.removesuffix(".weight"): p.detach().double() for path, p in small.unet.named_parameters()}
    table = {title: filled(title, small, case, parameters) for title, case in cases(small.shapes).items()}
    FIXTURE.write_bytes(gzip.compress((json.dumps(table, sort_keys=True) + "\n").encode(), mtime=0))
    print(len(table), "files,", FIXTURE.stat().st_size, "bytes")
