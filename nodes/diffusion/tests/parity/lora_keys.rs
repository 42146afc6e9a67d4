//! The keys of LoRA files for full-size models, against the loaders of the programs that people draw with: a fixture by
//! tests/parity/lora_keys.py. A variable takes memory only when it is written, so these models cost none.

use crate::support::fixtures;
use flate2::read::GzDecoder;
use hyper_flow_diffusion::lora::{LORA_TARGETS, Lora, LoraTarget, read_lora, write_kohya};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::WeightFile;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use tch::{Device, Kind, nn};
use tempfile::{NamedTempFile, TempDir};

/// What the fixture says of a model.
#[derive(Deserialize)]
struct Model {
    config: serde_json::Value,
    /// Path → (path in the published checkpoint, shape of its weight).
    modules: BTreeMap<String, (String, Vec<i64>)>,
    /// Key → path in the checkpoint.
    comfyui: BTreeMap<String, String>,
    a1111: BTreeMap<String, String>,
}

fn model(name: &str) -> Model {
    let file = File::open(fixtures().join("lora_keys.json.gz")).unwrap();
    let mut models: BTreeMap<String, Model> = serde_json::from_reader(GzDecoder::new(file)).unwrap();
    models.remove(name).unwrap()
}

impl Model {
    fn unet(&self) -> UNet2DConditionModel {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.config.to_string()).unwrap();
        let config = UNet2DConditionConfig::read(file.path()).unwrap();
        UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config).unwrap()
    }

    /// That a file is read which names modules as the checkpoint does.
    fn check_read(&self, unet: &UNet2DConditionModel, targets: &[LoraTarget]) {
        let as_published = |target: &LoraTarget| {
            let path = self.modules[&target.path].0.replace('.', "_");
            LoraTarget { path, shape: target.shape.clone() }
        };
        let (_folder, file) = written(&targets.iter().map(as_published).collect::<Vec<_>>());
        let lora = read_lora(file.path(), unet.modules(), None, Device::Cpu).unwrap();
        for target in targets {
            let key = format!("lora_unet_{}.lora_down.weight", as_published(target).path);
            assert_eq!(lora.layers[&target.path].down, file.tensor(&key, Kind::Float, Device::Cpu).unwrap());
        }
        assert_eq!(lora.layers.len(), targets.len());
    }

    /// That each key of a file names a weight, of the shape that its halves have, and no two modules the same.
    fn check(&self, known: &BTreeMap<String, String>, file: &WeightFile, targets: &[LoraTarget]) {
        let mut reached = BTreeSet::new();
        for key in file.keys() {
            let (name, part) = key.split_once('.').unwrap();
            let path = known.get(name).unwrap_or_else(|| panic!("{name} is not in the map"));
            let shape = &self.modules.values().find(|(original, _)| original == path).unwrap().1;
            let found = file.shape(key).unwrap();
            match part {
                "lora_up.weight" => assert_eq!((found[0], found[1]), (shape[0], 1), "{name}"),
                "lora_down.weight" => assert_eq!((found[0], &found[1..]), (1, &shape[1..]), "{name}"),
                "alpha" => assert!(found.is_empty() && reached.insert(path), "{name}"),
                _ => panic!("{key}"),
            }
        }
        let wanted: BTreeSet<_> = targets.iter().map(|target| &self.modules[&target.path].0).collect();
        assert_eq!(reached, wanted);
        assert_eq!(file.keys().count(), 3 * targets.len());
    }
}

/// A LoRA of rank 1 on all targets, in a kohya file.
fn written(targets: &[LoraTarget]) -> (TempDir, WeightFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    write_kohya(&Lora::new(targets, 1, 1.0, 0).0, &path).unwrap();
    let file = WeightFile::open(&path).unwrap();
    (folder, file)
}

fn check(name: &str, count: usize, without: &[&str]) {
    let model = model(name);
    let unet = model.unet();
    let ours: BTreeMap<_, _> = unet.modules().iter().map(|m| (&m.path, &m.shape)).collect();
    let theirs: BTreeMap<_, _> = model.modules.iter().map(|(path, (_, shape))| (path, shape)).collect();
    assert_eq!(ours, theirs);
    let targets = unet.lora_targets(&LORA_TARGETS).unwrap();
    assert_eq!(targets.len(), count);
    model.check(&model.comfyui, &written(&targets).1, &targets);
    model.check_read(&unet, &targets);
    let targets: Vec<_> = targets.into_iter().filter(|target| !without.contains(&target.path.as_str())).collect();
    model.check(&model.a1111, &written(&targets).1, &targets);
}

#[test]
fn stable_diffusion_1_5() {
    check("sd15", 278, &[]);
}

#[test]
fn stable_diffusion_2_1() {
    check("sd21", 278, &[]);
}

#[test]
fn sdxl() {
    check("sdxl", 788, &["up_blocks.0.upsamplers.0.conv"]);
}
