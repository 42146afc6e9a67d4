//! LoRA files in every spelling, as diffusers, peft and ComfyUI load them: a fixture by tests/parity/lora_spellings.py.

use crate::support::{assert_within, config, fixtures, sketch, weight};
use flate2::read::GzDecoder;
use hyper_flow_diffusion::lora::{LoraTarget, read_lora};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{Entry, write_tensors};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, nn};
use tempfile::TempDir;

/// A tensor: its shape, name in the formula or number, and dtype.
pub(crate) type Described = (Vec<i64>, Value, String);

#[derive(Deserialize)]
struct Case {
    model: String,
    tensors: BTreeMap<String, Described>,
    metadata: Option<BTreeMap<String, String>>,
    config: Option<Value>,
    alpha: Option<f64>,
    delta: Option<BTreeMap<String, Vec<f64>>>,
    refused: Option<String>,
}

fn cases() -> BTreeMap<String, Case> {
    let file = File::open(fixtures().join("lora_spellings.json.gz")).unwrap();
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

pub(crate) fn modules(model: &str) -> Vec<LoraTarget> {
    let config = UNet2DConditionConfig::read(config(model).path()).unwrap();
    UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config).unwrap().modules().to_vec()
}

fn tensor((shape, value, dtype): &Described) -> Tensor {
    let kind = match dtype.as_str() {
        "F16" => Kind::Half,
        "BF16" => Kind::BFloat16,
        _ => Kind::Float,
    };
    let full = |number: f64| Tensor::full(shape.as_slice(), number, (Kind::Float, Device::Cpu));
    let made = match value.as_str() {
        None => full(value.as_f64().unwrap()),
        Some("nan") => full(f64::NAN),
        Some("inf") => full(f64::INFINITY),
        Some(name) => weight(name, shape),
    };
    made.to_kind(kind)
}

/// Writes a file of described tensors.
pub(crate) fn write_described(path: &Path, tensors: &BTreeMap<String, Described>, said: Option<Entry<'_>>) {
    let tensors = tensors.iter().map(|(key, described)| (key.clone(), tensor(described))).collect();
    write_tensors(path, &tensors, said).unwrap();
}

impl Case {
    /// The file, or the folder that has a configuration, too.
    fn write(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lora.safetensors");
        let said = self.metadata.as_ref().and_then(|texts| texts.iter().next());
        write_described(&file, &self.tensors, said.map(|(name, text)| Entry { name, text }));
        let Some(config) = &self.config else { return (folder, file) };
        std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
        let path = folder.path().to_owned();
        (folder, path)
    }
}

fn check(model: &str) {
    let modules = modules(model);
    let cases: Vec<_> = cases().into_iter().filter(|(_, case)| case.model == model).collect();
    assert!(cases.len() >= 50, "{}", cases.len());
    for (name, case) in cases {
        let (_folder, path) = case.write();
        let read = read_lora(&path, &modules, case.alpha, Device::Cpu);
        if let Some(said) = &case.refused {
            let error = read.err().unwrap_or_else(|| panic!("{name} is read")).to_string();
            assert!(error.contains(said) && error.len() < 1200, "{name}: {error}");
            continue;
        }
        let lora = read.unwrap_or_else(|error| panic!("{name}: {error}")).to_kind(Kind::Double);
        let expected = case.delta.unwrap();
        assert!(lora.layers.keys().eq(expected.keys()), "{name}");
        for (path, expected) in &expected {
            let ours = sketch(path, &lora.delta(path).unwrap());
            assert_within(1e-6, &format!("{name}: {path}"), &ours, &Tensor::from_slice(expected));
        }
    }
}

#[test]
fn of_stable_diffusion_1_5() {
    check("sd15");
}

#[test]
fn of_sdxl() {
    check("sdxl");
}
