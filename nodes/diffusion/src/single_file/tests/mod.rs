//! Conversion held to diffusers' own (tests/parity/single_file.py).

mod convert;
mod names;
mod refused;

use super::*;
use crate::parity_support::{fixtures, weight};
use crate::weights::{WeightFile, Weights, write_tensors};
use crate::{DiffusionError, ModelSource};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

const CPU: Device = Device::Cpu;
const FAMILIES: [(&str, Family); 3] =
    [("sd15", Family::StableDiffusion1), ("sd21", Family::StableDiffusion2), ("sdxl", Family::StableDiffusionXl)];

/// A fixture: family, then what it holds.
fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> BTreeMap<String, T> {
    let file = fs::File::open(fixtures().join(format!("{name}.json.gz"))).unwrap();
    serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap()
}

/// A tiny checkpoint with the formula's weights, and a folder of its configurations with a tokenizer.
pub(crate) struct Tiny {
    folder: TempDir,
    family: &'static str,
    tensors: BTreeMap<String, Tensor>,
    fixture: Value,
}

impl Tiny {
    pub(crate) fn new(family: &'static str) -> Self {
        let fixture = fixture::<Value>("single_file_tiny").remove(family).unwrap();
        let keys: BTreeMap<String, Vec<i64>> = serde_json::from_value(fixture["keys"].clone()).unwrap();
        let tensor = |(key, shape): (String, Vec<i64>)| {
            let tensor = match shape.as_slice() {
                [] => Tensor::from(1f32),
                [1, length] => Tensor::arange(*length, (Kind::Int64, CPU)).unsqueeze(0),
                shape => weight(&key, shape),
            };
            (key, tensor)
        };
        let tensors = keys.into_iter().map(tensor).collect();
        let tiny = Self { folder: tempfile::tempdir().unwrap(), family, tensors, fixture };
        tiny.write_config();
        tiny
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_config(&self) {
        let write = |path: &str, value: &Value| {
            let path = self.path("config").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value.to_string()).unwrap();
        };
        for (component, config) in self.fixture["configs"].as_object().unwrap() {
            write(&format!("{component}/config.json"), config);
        }
        let family = FAMILIES.iter().find(|(name, _)| *name == self.family).unwrap().1;
        write("scheduler/scheduler_config.json", &configs::scheduler(family));
        // CLIP's tokenizer pads with "!", which a tiny one need not know.
        let tokenizer = crate::clip::ClipTokenizer::train(&["a!"], 0, 16).unwrap();
        for name in ["tokenizer", "tokenizer_2"] {
            tokenizer.write(&self.path("config").join(name)).unwrap();
        }
    }

    fn write(&self) -> PathBuf {
        let path = self.path("model.safetensors");
        write_tensors(&path, &self.tensors, None).unwrap();
        path
    }

    fn convert(&self, options: &SingleFileOptions<'_>) -> Result<(), DiffusionError> {
        let file = self.write();
        ModelSource::of_single_file(&file, options)?.write(&self.path("out"), |_, _| Ok(()))
    }

    pub(crate) fn convert_with_config(&self) -> Result<(), DiffusionError> {
        self.convert(&SingleFileOptions { config: Some(&self.path("config")), ..Default::default() })
    }

    /// Component, name, tensor as it is stored.
    fn converted(&self) -> BTreeMap<String, BTreeMap<String, Tensor>> {
        let components = self.fixture["tensors"].as_object().unwrap().keys();
        components.map(|component| (component.clone(), stored(&self.path("out").join(component)))).collect()
    }
}

/// The tensors of a folder's one file of weights.
fn stored(folder: &Path) -> BTreeMap<String, Tensor> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = names.into_iter().find(|path| path.extension().unwrap() == "safetensors").unwrap();
    let file = WeightFile::open(&path).unwrap();
    let tensor = |key: &str| (key.to_owned(), file.tensor(key, file.dtype(key).unwrap(), CPU).unwrap());
    file.keys().map(tensor).collect()
}

/// Path and content of all files of a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            all.extend(files(&path).into_iter().map(|(below, content)| (name.join(below), content)));
        } else {
            all.insert(name, fs::read(path).unwrap());
        }
    }
    all
}
