"""Makes fixtures/tokenizer/ (the vocabulary of a tokenizer that Rust trained) and fixtures/tokenizer_ids.json: the ids
that transformers' CLIPTokenizer gives about 200 prompts, padded with the end token (SD1.5) and with "!" (SDXL's second).

The vocabulary is written by Rust: `cargo test -p hyper-flow-diffusion --test parity -- --ignored write_folders` with
PARITY_OUT naming a folder, whose tokenizer/ is copied to fixtures/tokenizer/; a test then holds it to what is trained.

Run: python tests/parity/tokenizer.py  (transformers 5.23, tokenizers 0.23)
"""

import json
import pathlib
import random
import unicodedata

from transformers import CLIPTokenizer

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

PROMPTS = [
    "", " ", "a", "a handwritten digit seven", "A Handwritten DIGIT Seven!", "seven7seven", "1234567890", "3.14159 ...",
    "it's they're we've I'm you'll he'd don't 'S 'T 'RE", "'''s''t", "don\u2019t", "\t tabs\tand\nlines\r\nand  spaces  ",
    "<|startoftext|>", "<|endoftext|>", "a <|endoftext|> b", "a<|endoftext|>b<|startoftext|>c", "<|ENDOFTEXT|>",
    "<|StartOfText|> x", "<| endoftext |>", "!", "!!", "! !", "hello!", "hello !", "wow!!! yes!", "caf\u00e9", "cafe\u0301",
    "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212b", "\ufb01ligature", "stra\u00dfe STRASSE", "\u0130stanbul", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "\u4e03\u53f7", "\u624b\u66f8\u304d\u306e\u6570\u5b57\u4e03", "\uc190\uae00\uc528 \uc22b\uc790", "\u0441\u0435\u043c\u044c", "\u05e9\u05d1\u05e2", "\u0633\u0628\u0639\u0629", "\u0938\u093e\u0924", "\u0e40\u0e08\u0e47\u0e14", "\u0660\u0661\u0662\u0663", "\uff11\uff12\uff13",
    "\u00bd \u00b2 \u2463 \u216b", "\U0001d7d8\U0001d7d9", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f heart", "a\U0001f600b",
    "\x00", "a\x00b", "\x01\x02\x03", "bell\x07", "\x1f\x7f\x80\x85\x9f", "zero\u200bwidth", "no\u00a0break", "\u2028line\u2029para", "\ufeffbom", "\u3000wide",
    "soft\u00adhyphen", "\u202eright to left", "\ufffd", "\uffff", "\U0010ffff", "e\u0301\u0302\u0303\u0304", "Z\u0351\u036b\u0343a\u0354l\u0344go",
    "a,b;c:d.e", "(a) [b] {c}", "a_b__c", "a-b--c", "#version: 0.2", "\\n \\t", "\"quoted\"", "`code`", "100%", "$5.00", "a&b|c^d~e", "http://a.b/c?d=e#f",
    "digit " * 60, "seven" * 40, "!" * 100, "\u4e03" * 50, "\U0001f600" * 30, "a" * 300, "ab " * 100, "7" * 90,
    "a photo of a handwritten digit, in the style of a handwritten letter, highly detailed, trending",
]


def fuzz():
    """Random text over what is likely to go wrong."""
    draw = random.Random(7)
    # A code point that this Python does not know may be classified otherwise by another version of Unicode.
    known = lambda first, last: [chr(c) for c in range(first, last + 1) if unicodedata.category(chr(c)) != "Cn"]
    ranges = [(0x20, 0x7E), (0x20, 0x7E), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0x97F), (0x1E00, 0x1EFF),
              (0x2000, 0x206F), (0x2100, 0x214F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0x1F300, 0x1F64F), (0, 0x1F)]
    ranges = [known(*pair) for pair in ranges]
    words = ["seven", "digit", "handwritten", "'s", " ", "  ", "3", "<|endoftext|>", "!"]
    for _ in range(140):
        pieces = []
        for _ in range(draw.randint(1, 14)):
            characters = draw.choice(ranges)
            pieces.append(draw.choice(words if draw.random() < 0.35 else characters))
        yield draw.choice(["", " "]).join(pieces)


def main():
    prompts = PROMPTS + list(fuzz())
    folder = FIXTURES / "tokenizer"
    ids = {}
    for name, arguments in {"end": {}, "exclamation": dict(pad_token="!")}.items():
        tokenizer = CLIPTokenizer.from_pretrained(folder, **arguments)
        rows = tokenizer(prompts, padding="max_length", truncation=True)["input_ids"]
        ids[name] = rows
    assert {len(row) for rows in ids.values() for row in rows} == {tokenizer.model_max_length}
    data = [dict(prompt=p, end=a, exclamation=b) for p, a, b in zip(prompts, ids["end"], ids["exclamation"])]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in data)
    (FIXTURES / "tokenizer_ids.json").write_text(f"[\n{lines}\n]\n")
    print(len(prompts), "prompts")


if __name__ == "__main__":
    main()
