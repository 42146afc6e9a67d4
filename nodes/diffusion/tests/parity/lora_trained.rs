//! LoRAs that peft trained, in every way that they are written: fixtures by tests/parity/lora_trained.py.

use crate::support::{assert_close, fixtures};
use crate::unet::{forward, reference, sizes};
use hyper_flow_diffusion::lora::{Adapters, Lora, read_kohya, read_lora, write_kohya};
use hyper_flow_diffusion::weights::{Entry, WeightFile, read_tensors, write_tensors};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

const PIPELINE: &str = "pipeline.safetensors";
/// A folder: its alpha is in a file of its own.
const MODEL: &str = "model";
const MODEL_FILE: &str = "model/adapter_model.safetensors";
const ADAPTER: &str = "adapter.safetensors";
const METADATA: &str = "lora_adapter_metadata";

fn fixture(file: &str) -> PathBuf {
    fixtures().join("lora_trained").join(file)
}

#[test]
fn what_peft_trained_computes_the_same_here() {
    let unet = reference("digits").unet;
    let outputs = read_tensors(&fixture("outputs.safetensors"), Kind::Float, Device::Cpu).unwrap();
    let output = |adapters: &Adapters<'_>| forward(&unet, sizes(&unet).0, adapters);
    assert_close("base", &output(&Adapters::none()), &outputs["base"]);
    for (name, file) in [("pipeline", PIPELINE), ("model", MODEL), ("adapter", ADAPTER)] {
        let lora = read_lora(&fixture(file), unet.modules(), None, Device::Cpu).unwrap();
        assert_close(name, &output(&Adapters::one(&lora)), &outputs[name]);
        // The file that is written of it is the same LoRA.
        let folder = tempfile::tempdir().unwrap();
        let kohya = folder.path().join("kohya.safetensors");
        write_kohya(&lora, &kohya).unwrap();
        let again = read_kohya(&kohya, unet.modules(), Device::Cpu).unwrap();
        assert_close(name, &output(&Adapters::one(&again)), &outputs[name]);
    }
}

/// A copy of a file of the fixture, with other tensors and another header text.
fn changed(
    file: &str,
    text: impl Fn(&mut Value) -> Option<&'static str>,
    change: impl Fn(&mut BTreeMap<String, Tensor>),
) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    let mut tensors = read_tensors(&fixture(file), Kind::Float, Device::Cpu).unwrap();
    change(&mut tensors);
    let said = WeightFile::open(&fixture(file)).unwrap().metadata().get(METADATA).cloned();
    let mut said = said.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let name = text(&mut said);
    let said = said.to_string();
    write_tensors(&path, &tensors, name.map(|name| Entry { name, text: &said })).unwrap();
    (folder, path)
}

fn read(path: &Path, alpha: Option<f64>) -> Result<Lora, String> {
    let unet = reference("digits").unet;
    let message =
        |e: hyper_flow_diffusion::DiffusionError| e.to_string().replace(&path.display().to_string(), "<file>");
    read_lora(path, unet.modules(), alpha, Device::Cpu).map_err(message)
}

#[test]
fn an_alpha_that_is_lost_is_asked_for() {
    for file in [PIPELINE, MODEL_FILE, ADAPTER] {
        let (_folder, path) = changed(file, |_| None, |_| {});
        assert_eq!(
            read(&path, None).unwrap_err(),
            "lora: <file>: alpha is not known: the header does not say it (lora_adapter_metadata); give the folder that \
             also has adapter_config.json, or write the alpha it was trained with into `alpha` (diffusers' own scripts took \
             the rank)"
        );
        let lora = read(&path, Some(6.0)).unwrap();
        assert!(lora.layers.values().all(|layer| layer.alpha == 6.0));
    }
    // What the file says is not overruled.
    let error = read(&fixture(ADAPTER), Some(6.0)).unwrap_err();
    assert!(
        error.contains("`alpha` is 6, and the file says 1 of ") && error.ends_with(": leave `alpha` out"),
        "{error}"
    );
    assert!(read(&fixture(ADAPTER), Some(1.0)).unwrap().layers.values().all(|layer| layer.alpha == 1.0));
}

#[test]
fn a_folder_has_one_lora() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |file: &str, to: &str| std::fs::copy(fixture(file), folder.path().join(to)).unwrap();
    let found = read(folder.path(), None).unwrap_err();
    assert_eq!(found, "lora: <file> has no safetensors file");
    std::fs::write(folder.path().join("adapter_model.bin"), b"PK\x03\x04").unwrap();
    let found = read(folder.path(), None).unwrap_err();
    assert!(found.contains("python3 tests/parity/convert_pickle.py"), "{found}");
    copy(PIPELINE, "pytorch_lora_weights.safetensors");
    assert_eq!(read(folder.path(), None).unwrap().rank(), 3);
    copy(MODEL_FILE, "adapter_model.safetensors");
    assert_eq!(read(folder.path(), None).unwrap_err(), "lora: <file> has several safetensors files: give one");
}

#[test]
fn alphas_go_by_the_first_pattern_that_fits() {
    let alphas = |patterns: Value| {
        let text = |said: &mut Value| {
            said["unet.alpha_pattern"] = patterns.clone();
            Some(METADATA)
        };
        let (_folder, path) = changed(PIPELINE, text, |_| {});
        let lora = read(&path, None)?;
        let of = |end: &str| lora.layers.iter().find(|(path, _)| path.ends_with(end)).unwrap().1.alpha;
        Ok::<_, String>([of("attn1.to_q"), of("attn2.to_q"), of("resnets.0.conv1")])
    };
    assert_eq!(alphas(json!({"attn2.to_q": 2.0, "to_q": 3.0})), Ok([3.0, 2.0, 5.0]));
    assert_eq!(alphas(json!({"to_q": 3.0, "attn2.to_q": 2.0})), Ok([3.0, 3.0, 5.0]));
    assert_eq!(alphas(json!({"^mid_block\\.resnets\\.0\\.conv1": 4.0, "^to_q": 9.0})), Ok([5.0, 5.0, 4.0]));
    assert_eq!(alphas(json!({"n2.to_q": 9.0, "conv": 9.0})), Ok([5.0, 5.0, 5.0]));
    let message = "lora: <file>: alpha_pattern: attn.*to_q is a regular expression, which is not supported";
    assert_eq!(alphas(json!({"attn.*to_q": 2.0})), Err(message.into()));
}

#[test]
fn what_is_more_than_a_lora_is_refused_by_name() {
    for (field, value, message) in [
        ("use_dora", json!(true), "use_dora is true, which is not supported"),
        ("velora_config", json!({}), "velora_config is {}, which is not supported"),
        ("init_lora_weights", json!("pissa_niter_4"), "init_lora_weights is pissa_niter_4, which changes the base"),
        ("peft_type", json!("LOHA"), "peft_type is LOHA, not LORA"),
        ("lora_alpha", json!("4"), "invalid type: string"),
    ] {
        let text = |said: &mut Value| {
            said[field] = value.clone();
            Some(METADATA)
        };
        let (_folder, path) = changed(ADAPTER, text, |_| {});
        let found = read(&path, None).unwrap_err();
        assert!(found.starts_with(&format!("lora: <file>: lora_adapter_metadata: {message}")), "{found}");
    }
    let module = "down_blocks.0.downsamplers.0.conv";
    for (key, message) in [
        (
            format!("{module}.lora_magnitude_vector"),
            "is a DoRA (down_blocks.0.downsamplers.0.conv.lora_magnitude_vector)",
        ),
        (format!("{module}.lora_B.bias"), "is a LoRA with biases (down_blocks"),
        (format!("{module}.hada_w1_a"), "is a LoHa (down_blocks"),
        ("text_encoder.encoder.lora_A.weight".to_owned(), "also has 1 module of text encoders (text_encoder.encoder"),
    ] {
        let add = |tensors: &mut BTreeMap<_, _>| {
            tensors.insert(key.clone(), Tensor::ones([1], (Kind::Float, Device::Cpu)));
        };
        let (_folder, path) = changed(ADAPTER, |_| Some(METADATA), add);
        let found = read(&path, None).unwrap_err();
        assert!(found.starts_with(&format!("lora: <file> {message}")), "{found}");
    }
}
