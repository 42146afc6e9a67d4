//! Names and shapes of the full-size models against those of diffusers and transformers: lists by
//! tests/parity/full_size.py. New variables are not written, so the models take next to no memory.

use crate::support::{fixture_json, fixtures};
use hyper_flow_diffusion::clip::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, Pretrained};
use hyper_flow_diffusion::lora::LORA_TARGETS;
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use tch::{Device, nn};

type Shapes = BTreeMap<String, Vec<i64>>;

/// Model, part, name, shape.
fn expected() -> BTreeMap<String, BTreeMap<String, Shapes>> {
    let file = File::open(fixtures().join("full_size_keys.json.gz")).unwrap();
    serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap()
}

fn shapes(vs: &nn::VarStore) -> Shapes {
    vs.variables().into_iter().map(|(name, tensor)| (name, tensor.size())).collect()
}

fn unet(config: &Path) -> (nn::VarStore, UNet2DConditionModel) {
    let vs = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&vs, &UNet2DConditionConfig::read(config).unwrap()).unwrap();
    (vs, unet)
}

fn clip<M: Pretrained<Config = ClipTextConfig>>(config: &Value) -> Shapes {
    let vs = nn::VarStore::new(Device::Cpu);
    M::build(&vs.root(), &serde_json::from_value(config.clone()).unwrap());
    shapes(&vs)
}

/// Of the model that a published `config.json` describes.
fn built(config: &Value) -> Shapes {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();
    match config["_class_name"].as_str().or(config["architectures"][0].as_str()).unwrap() {
        "UNet2DConditionModel" => shapes(&unet(file.path()).0),
        "AutoencoderKL" => {
            let config = AutoencoderKlConfig::read(file.path()).unwrap();
            shapes(AutoencoderKl::new(nn::VarStore::new(Device::Cpu), &config).unwrap().variables())
        }
        "CLIPTextModel" => clip::<ClipTextModel>(config),
        "CLIPTextModelWithProjection" => clip::<ClipTextModelWithProjection>(config),
        class => panic!("no such class: {class}"),
    }
}

#[test]
fn names_and_shapes_are_those_of_python() {
    let configs = fixture_json("full_size_configs");
    let mut tensors = 0;
    for (model, parts) in expected() {
        for (part, shapes) in parts {
            assert_eq!(built(&configs[&model][&part]), shapes, "{model} {part}");
            tensors += shapes.len();
        }
    }
    assert_eq!(tensors, 686 + 248 + 196 + 686 + 248 + 372 + 1680 + 248 + 196 + 517);
}

#[test]
fn lora_targets_are_as_many_as_in_published_files() {
    let configs = fixture_json("full_size_configs");
    for (model, targets) in [("sd15", 278), ("sdxl", 788)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), configs[model]["unet"].to_string()).unwrap();
        let (_vs, unet) = unet(file.path());
        assert_eq!(unet.lora_targets(&LORA_TARGETS).unwrap().len(), targets, "{model}");
    }
}
