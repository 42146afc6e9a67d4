"""Makes fixtures/text_encoders.json and fixtures/text_encoders.safetensors: what `encode_prompt` of diffusers'
StableDiffusionPipeline and StableDiffusionXLPipeline gives for tiny text encoders with the formula's weights, and the
token ids of SDXL's two tokenizers. The tokenizers are fixtures/tokenizer/, the second of SDXL (and SD2.1's) padded with "!".

Cases: SD1.5 (quick_gelu, padded with the end token), SD2.1 (gelu, padded with "!"), SDXL with the end token's id in the
configuration and with the 2 that the published ones have, SDXL with force_zeros_for_empty_prompt off.
Python computes in float64, so that all of the difference is Rust's float32.

Run: python tests/parity/text_encoders.py  (torch 2.11, transformers 5.23, diffusers 0.42; on the CPU)
"""

import json
import pathlib
import shutil
import tempfile

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
PROMPTS = [
    "a handwritten digit seven", "", "digit " * 60, "A photo of the digit three, hand-written!! \u4e03 \U0001f600 caf\u00e9",
]
IDS = PROMPTS + [
    "!", "!!", "hello!", "wow ! yes", "<|endoftext|>", "a <|endoftext|> b", "seven7seven", "it's they're", "\u624b\u66f8\u304d\u306e\u6570\u5b57\u4e03",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\x00 \x07", "\t tabs\nand lines", "!" * 100, "seven" * 40, "cafe\u0301 \u00c5ngstr\u00f6m", "(a) [b] {c}, d.e",
]
VOCAB = json.loads((FIXTURES / "tokenizer/vocab.json").read_text())
END = VOCAB["<|endoftext|>"]
FIRST = dict(
    vocab_size=len(VOCAB), hidden_size=16, intermediate_size=24, projection_dim=16, num_hidden_layers=3,
    num_attention_heads=2, max_position_embeddings=24, hidden_act="quick_gelu", bos_token_id=END - 1, eos_token_id=END,
    pad_token_id=END,
)
SECOND = FIRST | dict(hidden_size=20, intermediate_size=28, projection_dim=12, num_hidden_layers=2, hidden_act="gelu", pad_token_id=0)
CASES = {
    "sd15": dict(text_encoder=FIRST, pads=["<|endoftext|>"]),
    "sd21": dict(text_encoder=SECOND, pads=["!"]),
    "sdxl": dict(text_encoder=FIRST, text_encoder_2=SECOND, pads=["<|endoftext|>", "!"], force_zeros=True),
    "sdxl_legacy": dict(
        text_encoder=FIRST | dict(eos_token_id=2), text_encoder_2=SECOND | dict(eos_token_id=2),
        pads=["<|endoftext|>", "!"], force_zeros=False,
    ),
}
SIDE = 1024


def tokenizer(folder: pathlib.Path, pad: str):
    """The fixture's, as a folder that names another token to pad with."""
    shutil.copytree(FIXTURES / "tokenizer", folder)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | dict(pad_token=pad)))
    return CLIPTokenizer.from_pretrained(folder)


def encoder(cls, config):
    """The formula under the keys of published files: with `text_model.` also in a bare text encoder."""
    model = cls(CLIPTextConfig(**config)).double().eval()
    formula.fill(model, "text_model." if cls is CLIPTextModel else "")
    return model


def unet():
    """Not run: the pipeline reads from its configuration how wide the added conditions are."""
    return UNet2DConditionModel(
        block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=36, attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time", addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=SECOND["projection_dim"] + 6 * 4,
    )


def pipeline(case, folder):
    shared = dict(vae=None, unet=unet(), scheduler=DDIMScheduler(), text_encoder=encoder(CLIPTextModel, case["text_encoder"]))
    shared["tokenizer"] = tokenizer(folder / "tokenizer", case["pads"][0])
    if "text_encoder_2" not in case:
        return StableDiffusionPipeline(**shared, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return StableDiffusionXLPipeline(
        **shared, text_encoder_2=encoder(CLIPTextModelWithProjection, case["text_encoder_2"]),
        tokenizer_2=tokenizer(folder / "tokenizer_2", case["pads"][1]),
        force_zeros_for_empty_prompt=case["force_zeros"], add_watermarker=False,
    )


def encoded(pipe):
    """Names as in Rust: text and pooled of the prompts, and those of no negative prompt."""
    arguments = dict(prompt=PROMPTS, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True)
    if isinstance(pipe, StableDiffusionPipeline):
        text, empty = pipe.encode_prompt(**arguments)
        return dict(text=text, empty=empty[:1])
    text, empty, pooled, empty_pooled = pipe.encode_prompt(**arguments)
    time_ids = pipe._get_add_time_ids(
        (SIDE, SIDE), (0, 0), (SIDE, SIDE), dtype=text.dtype,
        text_encoder_projection_dim=pipe.text_encoder_2.config.projection_dim,
    )
    return dict(text=text, empty=empty[:1], pooled=pooled, empty_pooled=empty_pooled[:1], time_ids=time_ids)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    tensors, ids = {}, {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            pipe = pipeline(case, pathlib.Path(folder))
        tensors |= {f"{name}.{key}": value for key, value in encoded(pipe).items()}
        if name == "sdxl":
            both = dict(tokenizer=pipe.tokenizer, tokenizer_2=pipe.tokenizer_2)
            ids = {key: t(IDS, padding="max_length", truncation=True).input_ids for key, t in both.items()}
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, FIXTURES / "text_encoders.safetensors")
    data = dict(prompts=PROMPTS, side=SIDE, cases=CASES, ids=dict(prompts=IDS) | ids)
    (FIXTURES / "text_encoders.json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
