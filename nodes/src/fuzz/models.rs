//! Weights, LoRAs and tokenizers of others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::clip::ClipTokenizer;
use hyper_flow_diffusion::lora::{LoraTarget, read_kohya_flat, read_lora};
use hyper_flow_diffusion::weights::{Entry, WeightFile, Weights, read_tensors, write_tensors};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::attack::attack;
use super::damage::as_it_is;

const CPU: Device = Device::Cpu;

fn weights(tensors: &[(&str, &[i64])], entry: Option<Entry<'_>>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.safetensors");
    let tensor = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, CPU));
    let tensors: BTreeMap<_, _> = tensors.iter().map(|(name, shape)| ((*name).to_owned(), tensor(shape))).collect();
    write_tensors(&path, &tensors, entry).unwrap();
    fs::read(path).unwrap()
}

/// Demands that an error names the file.
fn named<T>(path: &Path, read: Result<T, DiffusionError>) -> Result<(), String> {
    match read {
        Err(error) if !error.to_string().contains(path.to_str().unwrap()) => {
            Err(format!("the error does not say which file: {error}"))
        }
        _ => Ok(()),
    }
}

fn in_file(name: &str, bytes: &[u8], read: impl Fn(&Path) -> Result<(), String>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    read(&path)
}

#[test]
fn safetensors() {
    let shapes: [(&str, &[i64]); 3] = [("a", &[2, 3]), ("b.weight", &[4]), ("c", &[])];
    let good = vec![weights(&shapes, None), weights(&shapes, Some(Entry::FORMAT_PT)), weights(&[], None)];
    attack("safetensors", good, as_it_is, |bytes| {
        in_file("m.safetensors", bytes, |path| {
            let rows = |file: &WeightFile, key: &str| file.rows(key, &[0, 1], Kind::Float, CPU).map(drop);
            named(path, read_tensors(path, Kind::Float, CPU))?;
            named(path, read_tensors(path, Kind::BFloat16, CPU))?;
            named(path, Weights::open(path))?;
            let Ok(file) = WeightFile::open(path) else { return Ok(()) };
            file.keys().try_for_each(|key| named(path, rows(&file, key)))
        })
    });
}

#[test]
fn loras() {
    let kohya: [(&str, &[i64]); 3] = [
        ("lora_unet_m_p.lora_down.weight", &[2, 3]),
        ("lora_unet_m_p.lora_up.weight", &[4, 2]),
        ("lora_unet_m_p.alpha", &[]),
    ];
    let encoders: [(&str, &[i64]); 2] =
        [("lora_te_m_p.lora_down.weight", &[2, 3]), ("lora_te_m_p.lora_up.weight", &[4, 2])];
    let peft: [(&str, &[i64]); 2] = [("unet.m.p.lora_A.weight", &[2, 3]), ("unet.m.p.lora_B.weight", &[4, 2])];
    let text = r#"{"unet.lora_alpha": 8, "unet.r": 2, "unet.alpha_pattern": {"^m\\.p": 4.0}, "unet.use_rslora": true}"#;
    let entry = Entry { name: "lora_adapter_metadata", text };
    let good = vec![
        weights(&kohya, None),
        weights(&[&kohya[..], &encoders].concat(), None),
        weights(&peft, None),
        weights(&peft, Some(entry)),
    ];
    attack("LoRA", good, as_it_is, |bytes| {
        let modules = ["m.p", "text_encoder.m.p"].map(|path| LoraTarget { path: path.into(), shape: vec![4, 3] });
        in_file("lora.safetensors", bytes, |path| {
            named(path, read_lora(path, &modules, None, CPU))?;
            named(path, read_lora(path, &modules, Some(2.0), CPU))?;
            named(path, read_kohya_flat(path, CPU))
        })
    });
}

#[test]
fn configurations_of_adapters() {
    let good = vec![
        br#"{"peft_type": "LORA", "lora_alpha": 8, "r": 2, "alpha_pattern": {"m.p": 4}, "use_dora": false}"#.to_vec(),
    ];
    let peft = weights(
        &[("base_model.model.m.p.lora_A.weight", &[2, 3]), ("base_model.model.m.p.lora_B.weight", &[4, 2])],
        None,
    );
    attack("adapter_config.json", good, as_it_is, move |bytes| {
        let modules = [LoraTarget { path: "m.p".into(), shape: vec![4, 3] }];
        in_file("adapter_config.json", bytes, |path| {
            let folder = path.parent().unwrap();
            fs::write(folder.join("adapter_model.safetensors"), &peft).unwrap();
            named(folder, read_lora(folder, &modules, None, CPU))
        })
    });
}

/// The files of a good tokenizer.
fn tokenizer() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["a red fox", "a blue bird", "a red bird"];
    ClipTokenizer::train(&texts, 20, 16).unwrap().write(folder.path()).unwrap();
    let names = crate::files::below(folder.path()).unwrap().into_iter();
    names.map(|name| (name.clone(), fs::read(folder.path().join(name)).unwrap())).collect()
}

/// Attacks one of the files of a tokenizer.
fn attack_tokenizer(name: &'static str, whole: BTreeMap<String, Vec<u8>>) {
    attack(name, vec![whole[name].clone()], as_it_is, move |bytes| {
        let folder = tempfile::tempdir().unwrap();
        whole.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        fs::write(folder.path().join(name), bytes).unwrap();
        let read = ClipTokenizer::read(folder.path());
        if let Ok(tokenizer) = &read {
            // What it says of a text may be an error, but no more than that.
            let _ = tokenizer.encode("a red fox <|endoftext|> \u{1f98a}, and another\u{301}");
        }
        named(folder.path(), read)
    });
}

#[test]
fn vocabularies() {
    attack_tokenizer("vocab.json", tokenizer());
}

#[test]
fn merges() {
    attack_tokenizer("merges.txt", tokenizer());
}

#[test]
fn configurations_of_tokenizers() {
    attack_tokenizer("tokenizer_config.json", tokenizer());
    attack_tokenizer("special_tokens_map.json", tokenizer());
}

#[test]
fn whole_tokenizers() {
    let mut files = tokenizer();
    let vocab: Value = serde_json::from_slice(&files.remove("vocab.json").unwrap()).unwrap();
    let merges = String::from_utf8(files.remove("merges.txt").unwrap()).unwrap();
    let merges: Vec<Vec<&str>> = merges.lines().skip(1).map(|line| line.split(' ').collect()).collect();
    let whole = json!({"model": {"vocab": vocab, "merges": merges}});
    files.insert("tokenizer.json".to_owned(), whole.to_string().into_bytes());
    attack_tokenizer("tokenizer.json", files);
}

#[test]
fn a_tokenizer_does_not_decide_how_much_memory_is_taken_and_its_errors_say_where() {
    let whole = tokenizer();
    for (said, why) in [
        (json!({"model_max_length": 100_000_000}), "tokenizer_config.json: model_max_length is 100000000, and no text"),
        (json!({"bos_token": "<none>"}), ": <none> is not in the vocabulary"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        whole.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        fs::write(folder.path().join("tokenizer_config.json"), said.to_string()).unwrap();
        let error = ClipTokenizer::read(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(folder.path().to_str().unwrap()) && error.contains(why), "{error}");
    }
}

#[test]
fn halves_and_numbers_that_do_not_fit_are_told_with_their_file() {
    let half = |name: &str, shape: &[i64]| (format!("lora_unet_m_p.{name}"), Tensor::ones(shape, (Kind::Float, CPU)));
    let modules = [LoraTarget { path: "m.p".into(), shape: vec![4, 3] }];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    let (down, up) = (half("lora_down.weight", &[2, 3]), half("lora_up.weight", &[4, 2]));
    let infinite = (half("alpha", &[]).0, Tensor::from(f32::INFINITY));
    for third in [infinite, half("alpha", &[2]), half("lora_up.weight", &[5, 2])] {
        write_tensors(&path, &[&down, &up, &third].map(|(name, x)| (name.clone(), x.shallow_clone())).into(), None)
            .unwrap();
        named(&path, read_lora(&path, &modules, None, CPU).map(|_| panic!("it was read"))).unwrap();
    }
}
