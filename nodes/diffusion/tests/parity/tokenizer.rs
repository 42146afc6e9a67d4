//! The tokenizer against transformers: fixtures by tests/parity/tokenizer.py.

use crate::support::fixtures;
use hyper_flow_diffusion::clip::ClipTokenizer;
use serde_json::{Value, json};
use tch::Device;

const NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const FILES: [&str; 4] = ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"];

/// The tokenizer whose vocabulary is in the fixtures.
pub(crate) fn trained() -> ClipTokenizer {
    let digits = NAMES.map(|name| format!("a handwritten digit {name}"));
    let photos = NAMES.map(|name| format!("A photo of the digit {name}, hand-written; it's café №7 \u{4e03}\u{4e03}!"));
    ClipTokenizer::train(&[digits, photos].concat(), 90, 24).unwrap()
}

fn folder() -> std::path::PathBuf {
    fixtures().join("tokenizer")
}

#[test]
fn prompts_get_the_ids_of_transformers() {
    let text = std::fs::read_to_string(fixtures().join("tokenizer_ids.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(rows.len() >= 200);
    let end = ClipTokenizer::read(&folder()).unwrap();
    let exclamation = with_pad("!");
    for row in rows {
        let prompt = row["prompt"].as_str().unwrap();
        assert_eq!(json!(end.encode(prompt).unwrap()), row["end"], "{prompt:?}");
        assert_eq!(json!(exclamation.encode(prompt).unwrap()), row["exclamation"], "{prompt:?}");
    }
}

/// The fixture's tokenizer, but for the token that pads.
fn with_pad(pad: &str) -> ClipTokenizer {
    let other = tempfile::tempdir().unwrap();
    for name in FILES {
        std::fs::copy(folder().join(name), other.path().join(name)).unwrap();
    }
    let path = other.path().join("tokenizer_config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    config["pad_token"] = json!({"content": pad, "normalized": false});
    std::fs::write(&path, config.to_string()).unwrap();
    ClipTokenizer::read(other.path()).unwrap()
}

#[test]
fn training_gives_the_vocabulary_that_the_fixture_has() {
    let out = tempfile::tempdir().unwrap();
    trained().write(out.path()).unwrap();
    for name in FILES {
        let [ours, fixture] =
            [out.path().join(name), folder().join(name)].map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(ours, fixture, "{name}");
    }
}

#[test]
fn training_does_not_depend_on_the_order_of_captions() {
    let captions: Vec<_> = NAMES.iter().map(|name| format!("a handwritten digit {name}")).collect();
    let reversed: Vec<_> = captions.iter().rev().cloned().collect();
    let [a, b] = [captions, reversed].map(|captions| {
        let out = tempfile::tempdir().unwrap();
        ClipTokenizer::train(&captions, 40, 16).unwrap().write(out.path()).unwrap();
        FILES.map(|name| std::fs::read_to_string(out.path().join(name)).unwrap())
    });
    assert_eq!(a, b);
}

#[test]
fn common_words_become_one_token_and_the_end_is_the_highest_id() {
    let tokenizer = trained();
    let ids = tokenizer.encode("a handwritten digit").unwrap();
    let end = tokenizer.vocab_size() - 1;
    assert_eq!((ids[0], ids[4], ids[5], ids.len()), (end - 1, end, end, 24));
    assert_eq!((tokenizer.bos_token_id(), tokenizer.eos_token_id(), tokenizer.pad_token_id()), (end - 1, end, end));
    let batch = tokenizer.encode_batch(&["a", "a handwritten digit"], Device::Cpu).unwrap();
    assert_eq!(batch.size(), [2, 24]);
    assert_eq!(Vec::<i64>::try_from(batch.get(1)).unwrap(), ids);
}

#[test]
fn a_folder_with_tokenizer_json_alone_opens() {
    let other = tempfile::tempdir().unwrap();
    let vocab: Value = serde_json::from_str(&std::fs::read_to_string(folder().join("vocab.json")).unwrap()).unwrap();
    let merges = std::fs::read_to_string(folder().join("merges.txt")).unwrap();
    let lines: Vec<_> = merges.lines().skip(1).collect();
    let pairs: Vec<Vec<_>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let expected = ClipTokenizer::read(&folder()).unwrap().encode("seven, digit!").unwrap();
    for merges in [json!(lines), json!(pairs)] {
        let whole = json!({"model": {"type": "BPE", "vocab": vocab, "merges": merges}});
        std::fs::write(other.path().join("tokenizer.json"), whole.to_string()).unwrap();
        std::fs::write(other.path().join("tokenizer_config.json"), r#"{"model_max_length": 24}"#).unwrap();
        assert_eq!(ClipTokenizer::read(other.path()).unwrap().encode("seven, digit!").unwrap(), expected);
        // Without a length, or with the one that means none, CLIP's.
        std::fs::write(other.path().join("tokenizer_config.json"), r#"{"model_max_length": 1e30}"#).unwrap();
        assert_eq!(ClipTokenizer::read(other.path()).unwrap().max_length(), 77);
    }
}

#[test]
fn malformed_folders_are_refused_by_file() {
    let other = tempfile::tempdir().unwrap();
    let refused = |name: &str, text: &str| {
        trained().write(other.path()).unwrap();
        std::fs::write(other.path().join(name), text).unwrap();
        ClipTokenizer::read(other.path()).unwrap_err().to_string()
    };
    assert!(refused("vocab.json", "{").contains("vocab.json: EOF"));
    assert!(refused("vocab.json", r#"{"a": -1}"#).contains("vocab.json: invalid value"));
    assert!(refused("merges.txt", "#version: 0.2\na b\nc\n").ends_with("merges.txt: line 3: no pair"));
    let folder = other.path().display().to_string();
    let strange = refused("merges.txt", "q zz\n");
    assert!(strange.starts_with(&folder) && strange.contains("zz"), "{strange}");
    let pad = refused("tokenizer_config.json", r#"{"pad_token": "<pad>"}"#);
    assert_eq!(pad, format!("{folder}: <pad> is not in the vocabulary"));
    let short = refused("tokenizer_config.json", r#"{"model_max_length": 1}"#);
    assert_eq!(short, format!("{folder}: model_max_length 1 has no room for begin and end"));
    std::fs::remove_file(other.path().join("vocab.json")).unwrap();
    assert!(ClipTokenizer::read(other.path()).unwrap_err().to_string().starts_with("read "));
}
