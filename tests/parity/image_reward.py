"""Makes fixtures/image_reward.json (captions, and the keys and shapes of the published size and of the small one) and
fixtures/image_reward.safetensors: rewards of a small ImageReward and their gradients with respect to the pictures.

The modules are those of the image-reward package, whose code says which keys the published file has. The weights are the
formula's; pictures of another size than the network's go through torchvision as its own preprocessing does. Python
computes in float64, so that all of the difference is Rust's float32.

Run: python tests/parity/image_reward.py  (torch 2.11, torchvision 0.26; image-reward 1.5, transformers 4.30.2, timm
0.6.13, fairscale 0.4; after wordpiece.py). OpenAI's clip, which the package imports and this does not use, may be absent.
"""

import importlib
import importlib.util
import json
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

import formula
import image_processor

if importlib.util.find_spec("clip") is None:
    sys.modules["clip"] = types.ModuleType("clip")
# The package itself would import its trainers, and diffusers with them.
package = types.ModuleType("ImageReward")
package.__path__ = list(importlib.util.find_spec("ImageReward").submodule_search_locations)
sys.modules["ImageReward"] = package
med = importlib.import_module("ImageReward.models.BLIP.med")
vit = importlib.import_module("ImageReward.models.BLIP.vit")
reward = importlib.import_module("ImageReward.ImageReward")

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TINY = dict(image_size=32, patch_size=16, vision=(128, 2, 2), text=(64, 1, 2), words=183, positions=40)
FULL = dict(image_size=224, patch_size=16, vision=(1024, 16, 24), text=(768, 12, 12), words=30524, positions=512)
CAPTIONS = ["a handwritten digit seven", "Caf\u00e9 \u4e03\u53f7 [ENC] digit", "seven " * 40]


def build(image_size, patch_size, vision, text, words, positions):
    """The published modules; vision and text are (width, heads, layers)."""
    blip = torch.nn.Module()
    blip.visual_encoder = vit.VisionTransformer(
        img_size=image_size, patch_size=patch_size, embed_dim=vision[0], num_heads=vision[1], depth=vision[2]
    )
    config = med.BertConfig(
        vocab_size=words, hidden_size=text[0], num_attention_heads=text[1], num_hidden_layers=text[2],
        intermediate_size=4 * text[0], max_position_embeddings=positions, add_cross_attention=True, encoder_width=vision[0],
    )
    blip.text_encoder = med.BertModel(config=config, add_pooling_layer=False)
    # In the package's class beside the two towers, and not used by its score.
    blip.vision_proj, blip.text_proj = torch.nn.Linear(vision[0], 256), torch.nn.Linear(text[0], 256)
    model = torch.nn.Module()
    model.blip, model.mlp = blip, reward.MLP(text[0])
    return model.eval()


def keys(model):
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


def captions():
    """Ids and mask as the package's tokenizer gives them."""
    BertTokenizer = importlib.import_module("transformers").BertTokenizer
    tokenizer = BertTokenizer(str(FIXTURES / "wordpiece" / "vocab.txt"))
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    return tokenizer(CAPTIONS, padding="max_length", truncation=True, max_length=35, return_tensors="pt")


def main():
    model = build(**TINY).double()
    formula.fill(model)
    pictures = (formula.input("pictures", (3, 3, 35, 41)).double() / 3.0**0.5).requires_grad_()
    image = model.blip.visual_encoder(image_processor.processed(pictures, 32, 32))
    text = captions()
    states = model.blip.text_encoder(
        text.input_ids, attention_mask=text.attention_mask, encoder_hidden_states=image,
        encoder_attention_mask=torch.ones(image.shape[:-1], dtype=torch.long), return_dict=True,
    ).last_hidden_state
    rewards = (model.mlp(states[:, 0]) - 0.16717362830052426) / 1.0333394966054072
    (rewards.squeeze(1) * formula.input("loss", (3,)).double()).sum().backward()
    tensors = dict(rewards=rewards.detach().squeeze(1).float(), gradient=pictures.grad.float())
    save_file(tensors, FIXTURES / "image_reward.safetensors")
    data = dict(captions=CAPTIONS, tiny=keys(model), full=keys(build(**FULL)))
    (FIXTURES / "image_reward.json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
