"""Makes fixtures/wordpiece/vocab.txt (a small vocabulary laid out as bert-base-uncased's) and fixtures/wordpiece_ids.json:
the ids that transformers' BertTokenizer, with the two tokens that BLIP adds, gives the prompts of tokenizer.py, cut and
padded to 35 as ImageReward does.

Run: python tests/parity/wordpiece.py  (transformers 5.23, tokenizers 0.23). The tokenizer written in Python that
transformers had up to version 4 gives the same ids (4.30, by the same call).
"""

import json
import pathlib
import string

from transformers import BertTokenizer

import tokenizer as clip

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
WORDS = (
    "a the of in and digit hand handwritten photo seven se ven style detailed highly letter trending cafe strasse istanbul "
    "zero width hello wow yes they we tabs lines spaces ligature angstrom heart http quoted code dec enc cls unk 12 2023"
).split()
PARTS = "##s ##t ##written ##ven ##digit ##ing ##ed ##234 ##lo ##seven ##strom ##\u4e03".split()
OTHERS = "\u4e03 \u53f7 \u624b \u0441 \u05e9 \u0633 \u0938 \u03a3 \u03c3 \u00df \u00bd \u00b2 \u30ab \u3042 \uc190 \u0663 \U0001f600 \u2019 \u00e6".split()
PROMPTS = [
    "[CLS]", "a [SEP] b", "[MASK]x[MASK]", "[PAD] seven", "[UNK]", "[DEC] a photo", "a [ENC] digit[ENC]", "[enc] [cls]", "[ ENC ]", "[ENC", "ENC]",
    "\u4e03\u53f7hand", "hand\u4e03\u53f7written", "hand-written", "handwrittens", "digitdigit", "unaffable", "x" * 99, "x" * 100, "x" * 101,
    " ".join(["seven"] * 32), " ".join(["seven"] * 33), " ".join(["seven"] * 34), "seven" + "s" * 40,
]


def vocabulary():
    plain = [c for c in string.printable if c.isprintable() and not c.isspace() and not c.isupper()]
    parts = ["##" + c for c in string.ascii_lowercase + string.digits]
    special = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return list(dict.fromkeys(special + plain + OTHERS + WORDS + parts + PARTS))


def blip_tokenizer(vocab_file):
    """As BLIP's code makes it from bert-base-uncased."""
    tokens = {token: i for i, token in enumerate(vocab_file.read_text().splitlines())}
    tokenizer = BertTokenizer(vocab=tokens)
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    return tokenizer


def main():
    vocab_file = FIXTURES / "wordpiece" / "vocab.txt"
    vocab_file.parent.mkdir(exist_ok=True)
    vocab_file.write_text("".join(token + "\n" for token in vocabulary()))
    tokenizer = blip_tokenizer(vocab_file)
    prompts = PROMPTS + clip.PROMPTS + list(clip.fuzz())
    rows = tokenizer(prompts, padding="max_length", truncation=True, max_length=35)
    rows = zip(prompts, rows["input_ids"], rows["attention_mask"], strict=True)
    lines = [json.dumps(dict(prompt=prompt, ids=ids[: sum(mask)])) for prompt, ids, mask in rows]
    (FIXTURES / "wordpiece_ids.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
