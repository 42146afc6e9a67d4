//! Prompts against `encode_prompt` of diffusers' pipelines: fixtures by tests/parity/text_encoders.py.

use crate::support::{assert_close, fill, fixtures};
use hyper_flow_diffusion::clip::{
    ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTokenizer, Pretrained, new, save,
};
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_diffusion::{Conditions, DiffusionError, ModelIndex, TextEncoders, TimeIds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

fn json() -> Value {
    let text = std::fs::read_to_string(fixtures().join("text_encoders.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn reference() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("text_encoders.safetensors"), Kind::Float, Device::Cpu).unwrap()
}

fn write_encoder<M: Pretrained<Config = ClipTextConfig>>(folder: &Path, config: &Value) {
    let config = serde_json::from_value(config.clone()).unwrap();
    let (vs, _) = new::<M>(&config, 0, Device::Cpu).unwrap();
    fill(&vs);
    save::<M>(folder, &vs, &config).unwrap();
}

/// The fixture's tokenizer, but for the token that pads.
pub(crate) fn write_tokenizer(folder: &Path, pad: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(fixtures().join("tokenizer")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["pad_token"] = json!(pad);
        std::fs::write(folder.join(name), config.to_string()).unwrap();
    }
}

/// A model folder of which only the text is there.
fn folder(case: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_encoder::<ClipTextModel>(&at("text_encoder"), &case["text_encoder"]);
    write_tokenizer(&at("tokenizer"), case["pads"][0].as_str().unwrap());
    let second = case.get("text_encoder_2");
    if let Some(config) = second {
        write_encoder::<ClipTextModelWithProjection>(&at("text_encoder_2"), config);
        write_tokenizer(&at("tokenizer_2"), case["pads"][1].as_str().unwrap());
    }
    let force_zeros_for_empty_prompt = case["force_zeros"].as_bool().unwrap_or(true);
    let index = ModelIndex { text_encoder_2: second.is_some(), vae: false, force_zeros_for_empty_prompt };
    index.write(folder.path(), "DDIMScheduler").unwrap();
    folder
}

/// The model folder of a case.
pub(crate) fn folder_of(case: &str) -> TempDir {
    folder(&json()["cases"][case])
}

fn open(case: &Value) -> TextEncoders {
    TextEncoders::load(folder(case).path(), Kind::Float, Device::Cpu).unwrap()
}

fn zero(tensor: &Tensor) -> bool {
    tensor.count_nonzero(None).int64_value(&[]) == 0
}

fn compare(name: &str, [text, pooled]: [&str; 2], ours: &Conditions, reference: &BTreeMap<String, Tensor>) {
    let close = |what: &str, ours: &Tensor| {
        let what = format!("{name}.{what}");
        match &reference[&what] {
            // Relative to nothing: they must be zeros to the bit.
            theirs if zero(theirs) => assert!(zero(ours) && ours.size() == theirs.size(), "{what}"),
            theirs => assert_close(&what, ours, theirs),
        }
    };
    close(text, &ours.text);
    if let Some(added) = &ours.added {
        close(pooled, &added.text_embeds);
        let time_ids = reference[&format!("{name}.time_ids")].expand_as(&added.time_ids);
        assert_eq!(added.time_ids, time_ids, "{name}");
    }
}

#[test]
fn prompts_give_what_the_pipelines_give() {
    let (json, reference) = (json(), reference());
    let prompts: Vec<String> = serde_json::from_value(json["prompts"].clone()).unwrap();
    let time_ids = TimeIds::square(json["side"].as_i64().unwrap());
    for (name, case) in json["cases"].as_object().unwrap() {
        let encoders = open(case);
        let encoded = encoders.encode(&prompts, time_ids).unwrap();
        assert_eq!(encoded.added.is_some(), case.get("text_encoder_2").is_some(), "{name}");
        compare(name, ["text", "pooled"], &encoded, &reference);
        compare(name, ["empty", "empty_pooled"], &encoders.empty(time_ids).unwrap(), &reference);
        assert_eq!(encoded.text.size()[2], encoders.width());
        assert_eq!(encoded.added.map(|added| added.text_embeds.size()[1]), encoders.pooled_width());
    }
}

#[test]
fn zeros_stand_for_no_prompt_where_the_folder_says_so() {
    let json = json();
    let none = |name: &str| open(&json["cases"][name]).empty(TimeIds::square(8)).unwrap();
    let zeroed = none("sdxl");
    assert!(zero(&zeroed.text) && zero(&zeroed.added.unwrap().text_embeds));
    assert!(!zero(&none("sdxl_legacy").text) && !zero(&none("sd15").text));
}

#[test]
fn both_tokenizers_of_sdxl_give_the_ids_of_transformers() {
    let json = json();
    let prompts: Vec<String> = serde_json::from_value(json["ids"]["prompts"].clone()).unwrap();
    assert!(prompts.len() >= 20);
    let folder = folder(&json["cases"]["sdxl"]);
    for name in ["tokenizer", "tokenizer_2"] {
        let tokenizer = ClipTokenizer::read(&folder.path().join(name)).unwrap();
        let ids: Vec<_> = prompts.iter().map(|prompt| tokenizer.encode(prompt).unwrap()).collect();
        assert_eq!(json!(ids), json["ids"][name], "{name}");
    }
}

#[test]
fn many_prompts_are_as_one_at_a_time() {
    let encoders = open(&json()["cases"]["sdxl"]);
    let prompts: Vec<_> = (0..70).map(|i| format!("digit {i}")).collect();
    let all = encoders.encode(&prompts, TimeIds::square(8)).unwrap();
    assert_eq!(all.rows(), 70);
    let one = encoders.encode(&prompts[69..], TimeIds::square(8)).unwrap();
    assert_close("text", &all.select(&[69]).text, &one.text);
    assert!(encoders.encode::<&str>(&[], TimeIds::square(8)).is_err());
}

#[test]
fn what_is_saved_opens_again() {
    let encoders = open(&json()["cases"]["sdxl"]);
    let copy = tempfile::tempdir().unwrap();
    encoders.save(copy.path()).unwrap();
    encoders.index(false).write(copy.path(), "DDIMScheduler").unwrap();
    let again = TextEncoders::load(copy.path(), Kind::Float, Device::Cpu).unwrap();
    let [ours, theirs] = [&encoders, &again].map(|e| e.encode(&["seven!"], TimeIds::square(8)).unwrap());
    assert_eq!(ours.text, theirs.text);
    assert_eq!(ours.added.unwrap().text_embeds, theirs.added.unwrap().text_embeds);
}

#[test]
fn parts_that_do_not_fit_are_refused_by_name() {
    let case = &json()["cases"]["sdxl"];
    let refused = |change: &dyn Fn(&Path)| {
        let folder = folder(case);
        change(folder.path());
        let error: DiffusionError = TextEncoders::load(folder.path(), Kind::Float, Device::Cpu).unwrap_err();
        error.to_string().replace(&folder.path().display().to_string(), "<model>")
    };
    let set = |path: &Path, field: &str, value: Value| {
        let mut json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        json[field] = value;
        std::fs::write(path, json.to_string()).unwrap();
    };
    let length = |name: &'static str, n: i64| {
        move |model: &Path| set(&model.join(name).join("tokenizer_config.json"), "model_max_length", json!(n))
    };
    assert_eq!(
        refused(&length("tokenizer", 25)),
        "<model>/tokenizer: model_max_length 25, and the text encoder beside it has max_position_embeddings 24"
    );
    assert_eq!(
        refused(&length("tokenizer_2", 20)),
        "tokenizer_2: model_max_length 20, and 24 in tokenizer: their texts cannot lie side by side"
    );
    let more_tokens = refused(&|model| set(&model.join("tokenizer_2/vocab.json"), "another", json!(573)));
    assert_eq!(more_tokens, "<model>/tokenizer_2: 574 tokens, and the text encoder beside it has vocab_size 573");
    let absent = refused(&|model| std::fs::remove_dir_all(model.join("text_encoder_2")).unwrap());
    assert!(absent.starts_with("read <model>/text_encoder_2/config.json"), "{absent}");
    let no_index = refused(&|model| std::fs::remove_file(model.join("model_index.json")).unwrap());
    assert!(no_index.starts_with("read <model>/model_index.json"), "{no_index}");
}
