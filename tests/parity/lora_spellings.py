"""Makes fixtures/lora_spellings.json.gz: files of LoRAs in every spelling that people meet, and what each adds to the weights
of the "sd15" and "sdxl" configurations of unet_configs.py, as diffusers with peft and ComfyUI load it.

A case
  model     "sd15" or "sdxl"
  tensors   {key: [shape, name in the closed formula or a number, dtype]}
  metadata  texts of the header
  config    an adapter_config.json beside the file
  alpha     the alpha that the user gives
  read_by   who read all of it, and that the same: diffusers, comfyui; "formula" where none of them does
  delta     {module: its norm and products of unet.sketch}; or
  refused   a part of the message, where it must not be read

Where diffusers and ComfyUI read a file differently, `read_by` says whose numbers count, and the case why.

Run: python tests/parity/lora_spellings.py PATH_OF_A_COMFYUI_CHECKOUT  (torch 2.11, diffusers 0.42.1, peft 0.21.2; ComfyUI
0.3.76); it prints who read what.
"""

import gzip
import json
import pathlib
import sys
import tempfile
import warnings

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from diffusers.utils import logging
from safetensors.torch import save_file

import comfyui
import formula
from lora_keys import in_checkpoint
from unet import sketch
from unet_configs import CONFIGS

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "lora_spellings.json.gz"
METADATA = "lora_adapter_metadata"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
RANK = 2

BLOCKS = {"sd15": "down_blocks.0.attentions.0", "sdxl": "down_blocks.1.attentions.0"}
EDGES = {
    "sd15": ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
    "sdxl": ["conv_in", "conv_out", "time_embedding.linear_1", "add_embedding.linear_1", "add_embedding.linear_2"],
}


def attention(model):
    block = f"{BLOCKS[model]}.transformer_blocks.0"
    return [f"{block}.attn1.to_q", f"{block}.attn2.to_k", f"{block}.attn1.to_v", f"{block}.attn2.to_out.0"]


def inner(model):
    block = BLOCKS[model]
    last = "up_blocks.0" if model == "sdxl" else "up_blocks.1"
    return [
        *attention(model), f"{block}.transformer_blocks.0.ff.net.0.proj", f"{block}.transformer_blocks.0.ff.net.2",
        f"{block}.proj_in", f"{block}.proj_out", "down_blocks.0.resnets.0.conv1", f"{last}.resnets.0.conv_shortcut",
        "down_blocks.0.downsamplers.0.conv", "mid_block.resnets.0.time_emb_proj", "mid_block.resnets.1.conv2",
        f"{last}.upsamplers.0.conv",
    ]


class Model:
    def __init__(self, name):
        self.name = name
        self.unet = UNet2DConditionModel(**CONFIGS[name])
        self.config = self.unet.config
        weights = {path: m.weight for path, m in self.unet.named_modules() if getattr(m, "weight", None) is not None}
        self.shapes = {path: list(weight.shape) for path, weight in weights.items()}
        self.attention, self.inner = attention(name), inner(name)
        self.edges = EDGES[name]
        self.patcher = comfyui.patcher(self.config)
        self.comfy_names = comfyui.paths(self.config)

    def ldm(self, path):
        return in_checkpoint(path, self.config)

    def halves(self, path, rank=RANK, layout="own", dtype="F32"):
        """[shape, name, dtype] of down and up."""
        shape = self.shapes[path]
        down, up = [rank, *shape[1:]], [shape[0], rank, *[1] * (len(shape) - 2)]
        if layout == "other":
            one = [1, 1]
            down = down + one if len(down) == 2 else down[:2] if down[2:] == one else down
            up = up + one if len(shape) == 2 else up[:2]
        return [down, f"lora.{path}.down", dtype], [up, f"lora.{path}.up", dtype]


# 1. Spellings.
def flat(prefix):
    return lambda path: prefix + path.replace(".", "_")


def dotted(prefix):
    return lambda path: prefix + path


def processor(prefix):
    return lambda path: prefix + path.replace(".to_", ".processor.to_").removesuffix(".0")


KOHYA = (".lora_down.weight", ".lora_up.weight")
PEFT = (".lora_A.weight", ".lora_B.weight")
LORA = (".lora.down.weight", ".lora.up.weight")
PROCESSOR = ("_lora.down.weight", "_lora.up.weight")
LINEAR = (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")
DEFAULT = (".lora_A.default.weight", ".lora_B.default.weight")
BARE = (".lora_A", ".lora_B")


def spelled(model, paths, name, parts, alpha=None, **halves):
    """Tensors of a LoRA on `paths`; `alpha` is a number or a function of the place in the list."""
    tensors = {}
    for i, path in enumerate(paths):
        down, up = model.halves(path, **halves)
        tensors |= {name(path) + parts[0]: down, name(path) + parts[1]: up}
        value = alpha(i) if callable(alpha) else alpha
        if value is not None:
            tensors[f"{name(path)}.alpha"] = [[], value, halves.get("dtype", "F32")]
    return tensors


def described(paths, alpha, prefix="unet.", **more):
    fields = {"lora_alpha": alpha, "r": RANK, "target_modules": sorted(paths), "peft_type": "LORA", **more}
    return {METADATA: json.dumps({prefix + key: value for key, value in fields.items()})}


def cases(model):
    """name → case, as in the text above, with `by` for the reference where it is not diffusers."""
    m, inside, heads = model, model.inner, model.attention
    ldm = lambda make: lambda path: make(m.ldm(path))
    unet, kohya = dotted("unet."), flat("lora_unet_")
    ways = {
        # kohya's keys
        "kohya": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0)),
        "kohya, rank 1": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0, rank=1)),
        "kohya without alpha": dict(tensors=spelled(m, inside, kohya, KOHYA)),
        # diffusers gives attention layers the most common alpha
        "kohya, alphas differ": dict(tensors=spelled(m, inside, kohya, KOHYA, lambda i: 1.0 + i % 3), by="comfyui"),
        "kohya, some without alpha": dict(
            tensors=spelled(m, inside, kohya, KOHYA, lambda i: None if i % 2 else 4.0), by="comfyui"
        ),
        "kohya, ldm names": dict(tensors=spelled(m, inside, ldm(kohya), KOHYA, 1.0)),
        "kohya, ldm names, edges": dict(tensors=spelled(m, inside + m.edges, ldm(kohya), KOHYA, 1.0)),
        "kohya, edges": dict(tensors=spelled(m, inside + m.edges, kohya, KOHYA, 1.0), by="formula"),
        "kohya, half": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0, dtype="F16")),
        "kohya, bfloat16": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0, dtype="BF16")),
        "kohya, the other layout": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0, layout="other"), by="comfyui"),
        "kohya, alpha given for those without": dict(
            tensors=spelled(m, inside, kohya, KOHYA, lambda i: None if i % 2 else 3.0), alpha=3.0, by="formula", given=3.0
        ),
        "kohya, the same alpha given": dict(tensors=spelled(m, inside, kohya, KOHYA, 1.0), alpha=1.0),
        "lycoris": dict(tensors=spelled(m, inside, flat("lycoris_"), KOHYA, 1.0), by="comfyui"),
        "OneTrainer": dict(tensors=spelled(m, inside, dotted("lora_unet."), KOHYA, 1.0), by="formula"),
        # diffusers of three years
        "pipeline": dict(tensors=spelled(m, inside, unet, PEFT), alpha=float(RANK)),
        "pipeline with metadata": dict(tensors=spelled(m, inside, unet, PEFT), metadata=described(inside, 3)),
        "pipeline, alphas differ": dict(
            tensors=spelled(m, inside, unet, PEFT),
            metadata=described(inside, 3, alpha_pattern={heads[0]: 5, "ff.net.2": 1}),
        ),
        "pipeline, rslora": dict(
            tensors=spelled(m, inside, unet, PEFT), metadata=described(inside, 3, use_rslora=True)
        ),
        "pipeline, adapter named": dict(tensors=spelled(m, inside, unet, DEFAULT), alpha=float(RANK), by="formula"),
        "pipeline, alphas as tensors": dict(tensors=spelled(m, heads, processor("unet."), LORA, 1.0), by="comfyui"),
        "pipeline, the other layout": dict(
            tensors=spelled(m, inside, unet, PEFT, layout="other"), alpha=float(RANK), by="formula"
        ),
        "script of 2023": dict(tensors=spelled(m, heads, processor("unet."), PROCESSOR), alpha=float(RANK)),
        "script of 2023, no prefix": dict(tensors=spelled(m, heads, processor(""), PROCESSOR), alpha=float(RANK)),
        "script of 2024": dict(tensors=spelled(m, heads, unet, LORA), alpha=float(RANK)),
        "script of 2024, all modules": dict(tensors=spelled(m, inside, unet, LORA), alpha=float(RANK)),
        "lora_linear_layer": dict(tensors=spelled(m, heads, processor("unet."), LINEAR), alpha=float(RANK), by="comfyui"),
        "processor and list": dict(tensors=spelled(m, heads, processor("unet."), LORA), alpha=float(RANK), by="comfyui"),
        "adapter": dict(tensors=spelled(m, inside, dotted(""), PEFT), alpha=float(RANK)),
        "adapter with metadata": dict(tensors=spelled(m, inside, dotted(""), PEFT), metadata=described(inside, 1, "")),
        "peft": dict(
            tensors=spelled(m, inside, dotted("base_model.model."), PEFT), config={"lora_alpha": 3, "peft_type": "LORA"},
            by="formula", given=3.0,
        ),
        "peft of a pipeline": dict(
            tensors=spelled(m, inside, dotted("base_model.model.unet."), PEFT), alpha=1.0, by="formula", given=1.0
        ),
        # ComfyUI's own
        "comfyui": dict(tensors=spelled(m, inside, ldm(dotted("diffusion_model.")), KOHYA, 1.0), by="comfyui"),
        "comfyui, peft": dict(
            tensors=spelled(m, inside, ldm(dotted("diffusion_model.")), PEFT), alpha=float(RANK), by="comfyui"
        ),
        "comfyui, bare": dict(
            tensors=spelled(m, inside, ldm(dotted("diffusion_model.")), BARE), alpha=float(RANK), by="comfyui"
        ),
        # several in one file; diffusers converts nothing if its first key is peft's, and the rest is lost
        "mixed, peft first": dict(
            tensors=spelled(m, heads[:1], unet, PEFT) | spelled(m, heads[1:], unet, LORA), alpha=float(RANK), by="formula"
        ),
        "mixed, of 2023 and 2024": dict(
            tensors=spelled(m, heads[:2], processor("unet."), PROCESSOR) | spelled(m, heads[2:], unet, LORA),
            alpha=float(RANK),
        ),
        "mixed, kohya and pipeline": dict(
            tensors=spelled(m, heads[:2], kohya, KOHYA, 1.0) | spelled(m, heads[2:], unet, PEFT), alpha=float(RANK / 2),
            by="formula", given=RANK / 2,
        ),
        "mixed, linear layers": dict(
            tensors=spelled(m, heads[:2], unet, LINEAR) | spelled(m, heads[2:], unet, PEFT), alpha=float(RANK), by="formula"
        ),
    }
    return {f"{m.name}: {name}": {"model": m.name, **case} for name, case in ways.items()}


def refused(m, other):
    """What must not be read, and a part of the message."""
    kohya, unet = flat("lora_unet_"), dotted("unet.")
    good = spelled(m, m.inner, kohya, KOHYA, 1.0)
    first, second = kohya(m.attention[0]), kohya(m.attention[1])
    extra = lambda key, value=1.0: good | {key: [[1], value, "F32"]}
    peft = spelled(m, m.inner, unet, PEFT)
    ways = {
        "alpha contradicted": (good, dict(alpha=2.0), "`alpha` is 2, and the file says 1 of "),
        "metadata contradicted": (
            peft, dict(alpha=2.0, metadata=described(m.inner, 3)), "`alpha` is 2, and the file says 3 of "
        ),
        "alpha unknown": (peft, {}, "write the alpha it was trained with into `alpha`"),
        "NaN": (good | {f"{first}.lora_up.weight": [m.halves(m.attention[0])[1][0], "nan", "F32"]}, {}, f"{first}.lora_up.weight holds NaN"),
        "infinity": (good | {f"{second}.lora_down.weight": [m.halves(m.attention[1])[0][0], "inf", "F16"]}, {}, f"{second}.lora_down.weight holds infinity"),
        "a module too many": (extra("lora_unet_mid_block_resnets_7_conv1.alpha"), {}, "1 left over: lora_unet_mid_block_resnets_7_conv1.alpha"),
        "one half": ({k: v for k, v in good.items() if k != f"{first}.lora_up.weight"}, {}, f"1 missing: {first}.lora_up.weight"),
        "two spellings of a module": (good | spelled(m, m.attention[:1], unet, PEFT), {}, "left over: "),
        "of the other family": (
            spelled(other, other.inner, kohya, KOHYA, 1.0), {},
            "likely it is for another model: its cross attention takes texts of",
        ),
        "of the other family, no texts": (
            spelled(other, [f"{BLOCKS[other.name]}.transformer_blocks.{int(other.name == 'sdxl')}.attn1.to_q", "up_blocks.3.resnets.0.conv1" if other.name == "sd15" else "up_blocks.2.resnets.0.conv1"], kohya, KOHYA, 1.0), {},
            "likely it is for SDXL" if other.name == "sdxl" else "likely it is for Stable Diffusion 1 or 2",
        ),
        "Flux": ({f"lora_unet_double_blocks_0_img_attn_qkv{part}": [[2, 2], "flux", "F32"] for part in KOHYA}, {}, "likely it is for a transformer"),
        "bundled embeddings": (extra("bundle_emb.cat.string_to_param.*"), {}, "also has the embeddings cat (bundle_emb.cat"),
        "text encoders": (
            extra("lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha"), {}, "`text: Drop` leaves them out"
        ),
        "fp8 scales": (extra(f"{first}.lora_down.weight_scale"), {}, "likely its halves are fp8 with scales"),
        "whole differences": (extra(f"{first}.diff"), {}, "is a LoRA with whole differences"),
        "halves that do not fit": (good | {f"{first}.lora_up.weight": [[3, 3], "x", "F32"]}, {}, "do not fit together"),
        "no adapter": ({}, {}, "holds no adapter"),
    }
    return {
        f"{m.name}: refused: {name}": {"model": m.name, "tensors": tensors, "refused": said, **more}
        for name, (tensors, more, said) in ways.items()
    }


# 2. What the programs make of them.
def tensor(shape, value, dtype):
    if value in ("nan", "inf"):
        return torch.full(shape, float(value)).to(DTYPES[dtype])
    made = formula.weight(value, tuple(shape)) if isinstance(value, str) else torch.full(shape, value)
    return made.to(DTYPES[dtype])


def state(case):
    return {key: tensor(*described) for key, described in case["tensors"].items()}


def by_diffusers(model, case):
    """As its pipeline loads it, or, of a file without a prefix, its model."""
    unet = UNet2DConditionModel(**CONFIGS[model.name])
    loader = StableDiffusionXLLoraLoaderMixin if model.name == "sdxl" else StableDiffusionLoraLoaderMixin
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lora.safetensors"
        save_file(state(case), path, metadata=case.get("metadata"))
        if any(key.startswith(("unet.", "lora_unet_")) for key in case["tensors"]):
            found, alphas, said = loader.lora_state_dict(path, unet_config=unet.config, return_lora_metadata=True)
            loader.load_lora_into_unet(found, network_alphas=alphas, unet=unet, metadata=said)
        else:
            # Without `use_safetensors` it loses the header, and with it the alphas, silently.
            unet.load_lora_adapter(path, prefix=None, use_safetensors=True)
    layers = {path: m.double() for path, m in unet.named_modules() if hasattr(m, "lora_A")}
    return {path: m.get_delta_weight(next(iter(m.lora_A))).detach() for path, m in layers.items()}


def by_comfyui(model, case):
    added, not_loaded = comfyui.deltas(model.patcher, model.comfy_names, state(case))
    if not_loaded:
        raise ValueError(f"{len(not_loaded)} not loaded")
    return added


def by_formula(model, case):
    """alpha/rank·up·down, of keys in this script's own order: down, up and perhaps alpha."""
    tensors, added = case["tensors"], {}
    for key, (_, name, _) in tensors.items():
        if isinstance(name, str) and name.endswith(".down"):
            path = name.removeprefix("lora.").removesuffix(".down")
            up = next(k for k, (_, other, _) in tensors.items() if other == f"lora.{path}.up")
            down, up = tensor(*tensors[key]).double().flatten(1), tensor(*tensors[up]).double().flatten(1)
            ends = [end for end in (KOHYA[0], PEFT[0], LORA[0], PROCESSOR[0], LINEAR[0], DEFAULT[0], BARE[0]) if key.endswith(end)]
            alpha = tensors.get(key.removesuffix(ends[0]) + ".alpha", [None, case.get("given", len(down))])[1]
            added[path] = (up @ down * (alpha / len(down))).reshape(model.shapes[path])
    return added


PROGRAMS = {"diffusers": by_diffusers, "comfyui": by_comfyui, "formula": by_formula}


def sketches(added):
    return {path: sketch(path, delta) for path, delta in added.items()}


def modules(case):
    names = [value[1] for value in case["tensors"].values() if isinstance(value[1], str)]
    return {name.removeprefix("lora.").rsplit(".", 1)[0] for name in names}


def whole(model, case):
    """{program: what it adds}, of those that read every module."""
    found = {}
    for program, read in PROGRAMS.items():
        try:
            found[program] = sketches(read(model, case))
        except Exception as error:  # noqa: BLE001: whatever a program raises, it does not read the file
            found[program] = f"{type(error).__name__}: {error}"[:60]
    return {program: added for program, added in found.items() if isinstance(added, dict) and added.keys() == modules(case)}


def same(ours, theirs):
    return all((ours[path] - theirs[path]).abs().max() <= 1e-6 * theirs[path].abs().max() for path in theirs)


def filled(name, model, case):
    found, by = whole(model, case), case.pop("by", "diffusers")
    assert by in found, f"{name}: {by} does not read it; {list(found)} do"
    read_by = [program for program, added in found.items() if same(added, found[by])]
    others = [program for program in found if program not in read_by]
    print(f"{name}: {', '.join(read_by)}" + (f"; otherwise: {', '.join(others)}" if others else ""))
    case.pop("given", None)
    delta = {path: [float(f"{x:.9e}") for x in numbers.tolist()] for path, numbers in found[by].items()}
    return {**case, "read_by": read_by, "delta": delta}


if __name__ == "__main__":
    logging.set_verbosity(logging.CRITICAL)
    warnings.simplefilter("ignore")
    comfyui.bring(pathlib.Path(sys.argv[1]))
    small = {name: Model(name) for name in ("sd15", "sdxl")}
    table = {}
    for model in small.values():
        table |= {name: filled(name, model, case) for name, case in cases(model).items()}
    table |= refused(small["sd15"], small["sdxl"]) | refused(small["sdxl"], small["sd15"])
    FIXTURE.write_bytes(gzip.compress((json.dumps(table, sort_keys=True) + "\n").encode(), mtime=0))
    print(len(table), "files,", FIXTURE.stat().st_size, "bytes")
