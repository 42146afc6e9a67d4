"""Makes fixtures/text_loras.json.gz and fixtures/text_loras.safetensors: what `encode_prompt` of diffusers' pipelines gives with
LoRAs of text encoders, on the tiny pipelines of text_encoders.py ("sd15", "sdxl"), loaded by their own
`load_lora_into_text_encoder`. Python computes in float64.

A case
  model     "sd15" or "sdxl"
  tensors   {key: [shape, name in the closed formula or a number, dtype]}
  metadata  texts of the header
  alpha     the alpha that the user gives

With --exported: opens what `cargo test --workspace --test parity text_loras` wrote to target/tmp/exported_text/sd15 and
sdxl, as `Export` writes it, by `load_lora_weights`, with no warning of a key and no key left over, and compares the
embeddings.

Run: python tests/parity/text_loras.py
     python tests/parity/text_loras.py --exported [target/tmp/exported_text]
(torch 2.11, transformers 5.24, diffusers 0.42.1, peft 0.21.2; on the CPU)
Last result of --exported, relative to the largest magnitude, of both files:
    sd15: 19 modules, text 4.5e-07
    sdxl: 32 modules, text 2.5e-07, pooled 2.7e-07
"""

import gzip
import json
import pathlib
import sys
import tempfile
import warnings

import torch
from diffusers.utils import logging
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import formula
from text_encoders import CASES, FIXTURES, PROMPTS, encoded, pipeline

RANK, ALPHA = 2, 3.0
KOHYA = (".lora_down.weight", ".lora_up.weight")
PEFT = (".lora_A.weight", ".lora_B.weight")
LINEAR = (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")
PROCESSOR = ("_lora.down.weight", "_lora.up.weight")
ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
OLD = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


def modules(config, only=None):
    """{path: (out, in)} of the linear layers."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {f"self_attn.{name}": (width, width) for name in ATTENTION} | {"mlp.fc1": (inner, width), "mlp.fc2": (width, inner)}
    return {
        f"text_model.encoder.layers.{i}.{name}": shape
        for i in range(config["num_hidden_layers"]) for name, shape in shapes.items() if only is None or name.split(".")[1] in only
    }


def halves(model, only=None):
    """(encoder, path, {half: (shape, name in the formula)})."""
    for encoder in ("text_encoder", "text_encoder_2"):
        if encoder in CASES[model]:
            for path, (out, into) in modules(CASES[model][encoder], only).items():
                name = f"lora.{encoder}.{path}"
                yield encoder, path, [([RANK, into], f"{name}.down"), ([out, RANK], f"{name}.up")]


def described(model, spell, ends, alpha, only=None):
    tensors = {}
    for encoder, path, pair in halves(model, only):
        name = spell(encoder, path)
        tensors |= {f"{name}{end}": [shape, value, "F32"] for end, (shape, value) in zip(ends, pair)}
        if alpha is not None:
            tensors[f"{name}.alpha"] = [[], alpha, "F32"]
    return tensors


def kohya(prefixes):
    return lambda encoder, path: prefixes[encoder] + path.replace(".", "_")


def dotted(encoder, path):
    return f"{encoder}.{path}"


def bare(encoder, path):
    """As transformers 5 names modules: without `text_model.` in the first text encoder, which is bare."""
    return f"{encoder}.{path.removeprefix('text_model.') if encoder == 'text_encoder' else path}"


def processor(encoder, path):
    parent, _, name = path.rpartition(".")
    return f"{encoder}.{parent}.{OLD[name]}"


def header(model, alpha):
    """As `save_lora_weights` writes it."""
    said = {}
    for encoder in ("text_encoder", "text_encoder_2"):
        if encoder in CASES[model]:
            names = sorted({path.rsplit(".", 1)[1] for path in modules(CASES[model][encoder])})
            said |= {f"{encoder}.{k}": v for k, v in dict(r=RANK, lora_alpha=alpha, target_modules=names).items()}
    return {"lora_adapter_metadata": json.dumps(said)}


def cases():
    made = {}
    for model in ("sd15", "sdxl"):
        two = model == "sdxl"
        prefixes = dict(text_encoder="lora_te1_" if two else "lora_te_", text_encoder_2="lora_te2_")
        ways = {
            "kohya": dict(tensors=described(model, kohya(prefixes), KOHYA, ALPHA)),
            "kohya, no alpha": dict(tensors=described(model, kohya(prefixes), KOHYA, None)),
            "kohya, attention alone": dict(tensors=described(model, kohya(prefixes), KOHYA, ALPHA, ATTENTION)),
            "diffusers": dict(tensors=described(model, dotted, PEFT, None), metadata=header(model, 5.0)),
            "diffusers, bare": dict(tensors=described(model, bare, PEFT, None), metadata=header(model, 5.0)),
            "diffusers of 2023": dict(tensors=described(model, dotted, LINEAR, None), alpha=float(RANK)),
            "diffusers of early 2023": dict(tensors=described(model, processor, PROCESSOR, None, ATTENTION), alpha=float(RANK)),
        }
        if two:
            one = kohya(dict(text_encoder="lora_te_", text_encoder_2="lora_te2_"))
            ways["kohya, the first as an only one"] = dict(tensors=described(model, one, KOHYA, ALPHA))
        made |= {f"{model}: {name}": dict(model=model, **case) for name, case in ways.items()}
    return made


def tensor(shape, value, _):
    return formula.weight(value, tuple(shape)) if isinstance(value, str) else torch.full(shape, value)


def opened(model, folder):
    return pipeline(CASES[model], folder)


def load(pipe, path):
    """As `load_lora_weights` does, without the UNet's part."""
    found, alphas, said = type(pipe).lora_state_dict(path, return_lora_metadata=True, unet_config=pipe.unet.config)
    for name in ("text_encoder", "text_encoder_2"):
        encoder = getattr(pipe, name, None)
        if encoder is not None:
            pipe.load_lora_into_text_encoder(
                found, network_alphas=alphas, text_encoder=encoder, prefix=name, metadata=said, _pipeline=pipe
            )
            encoder.double()


def adapted(pipe):
    return sum(hasattr(m, "lora_A") for e in (pipe.text_encoder, getattr(pipe, "text_encoder_2", None)) if e for m in e.modules())


@torch.no_grad()
def make():
    torch.set_num_threads(1)
    all_cases, tensors = cases(), {}
    for name, case in all_cases.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            pipe = opened(case["model"], folder)
            path = folder / "lora.safetensors"
            save_file({k: tensor(*d).float() for k, d in case["tensors"].items()}, path, metadata=case.get("metadata"))
            load(pipe, path)
            modules_there = sum(key.endswith(("up.weight", "lora_B.weight")) for key in case["tensors"])
            assert adapted(pipe) == modules_there, (name, adapted(pipe), modules_there)
            found = encoded(pipe)
            tensors |= {f"{name}.{key}": found[key][:2] for key in ("text", "pooled") if key in found}
            print(name, modules_there)
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, FIXTURES / "text_loras.safetensors")
    text = json.dumps(dict(prompts=PROMPTS[:2], cases=all_cases))
    (FIXTURES / "text_loras.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


@torch.no_grad()
def open_exported(root):
    said = []
    for name in ("diffusers.loaders", "diffusers.loaders.lora_base", "diffusers.loaders.peft", "diffusers.loaders.lora_pipeline"):
        logger = logging.get_logger(name)
        logger.warning = said.append
    for model in ("sd15", "sdxl"):
        folder = root / model
        theirs = load_file(folder / "outputs.safetensors")
        for form in ("kohya", "peft"):
            with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
                pipe = opened(model, pathlib.Path(scratch))
                pipe.load_lora_weights(folder, weight_name=f"{form}.safetensors")
            for part in (pipe.text_encoder, getattr(pipe, "text_encoder_2", None)):
                if part is not None:
                    part.double()
            with safe_open(folder / f"{form}.safetensors", "pt") as file:
                there = sum(key.endswith(("lora_up.weight", "lora_B.weight")) for key in file.keys())
            placed = adapted(pipe) + sum(hasattr(m, "lora_A") for m in pipe.unet.modules())
            assert placed == there, (placed, there)
            found = encoded(pipe)
            for key, expected in theirs.items():
                apart = ((found[key][:2] - expected).abs().max() / expected.abs().max()).item()
                print(f"{model} {form} {key}: {placed} modules, {apart:.1e}")
                assert apart < 1e-5
    assert not said, said


if __name__ == "__main__":
    if "--exported" in sys.argv:
        rest = sys.argv[sys.argv.index("--exported") + 1:]
        open_exported(pathlib.Path(rest[0] if rest else "target/tmp/exported_text"))
    else:
        make()
