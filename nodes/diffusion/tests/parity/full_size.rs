//! Names and shapes of the full-size models against those of diffusers and transformers, and the names of published files:
//! lists by tests/parity/full_size.py and published_names.py. New variables are not written, so the models take next to no
//! memory.

use crate::support::{fixture_json, fixtures};
use hyper_flow_diffusion::clip::{
    self, ClipModel, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, Pretrained,
};
use hyper_flow_diffusion::lora::LORA_TARGETS;
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

type Shapes = BTreeMap<String, Vec<i64>>;

fn unpacked(fixture: &str) -> Value {
    let file = File::open(fixtures().join(format!("{fixture}.json.gz"))).unwrap();
    serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap()
}

/// Model, part, name, shape.
fn expected() -> BTreeMap<String, BTreeMap<String, Shapes>> {
    serde_json::from_value(unpacked("full_size_keys")).unwrap()
}

fn shapes(vs: &nn::VarStore) -> Shapes {
    vs.variables().into_iter().map(|(name, tensor)| (name, tensor.size())).collect()
}

fn unet(config: &Path) -> (nn::VarStore, UNet2DConditionModel) {
    let vs = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&vs, &UNet2DConditionConfig::read(config).unwrap()).unwrap();
    (vs, unet)
}

fn transformer<M: Pretrained>(config: &Value) -> Shapes {
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
        "CLIPModel" => transformer::<ClipModel>(config),
        "CLIPTextModel" => transformer::<ClipTextModel>(config),
        "CLIPTextModelWithProjection" => transformer::<ClipTextModelWithProjection>(config),
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
    assert_eq!(tensors, 686 + 248 + 196 + 686 + 248 + 372 + 1680 + 248 + 196 + 517 + 398 + 590 + 910);
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

/// Gives the tensors of a file the names that a published file has, which must be all of them.
fn rename(path: &Path, published: &BTreeMap<String, String>, add: &[(&str, Tensor)]) {
    let mut tensors = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    let mut renamed: BTreeMap<_, _> =
        published.iter().map(|(old, name)| (old.clone(), tensors.remove(name).unwrap())).collect();
    assert!(tensors.is_empty(), "{:?}", tensors.keys());
    renamed.extend(add.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.shallow_clone())));
    write_tensors(path, &renamed, None).unwrap();
}

#[test]
fn a_vae_with_published_names_is_the_same_vae() {
    for model in ["sd15", "sd21"] {
        // As deep as the published one, whose names it has, and narrow.
        let mut config = fixture_json("full_size_configs")[model]["vae"].take();
        config["block_out_channels"] = json!([2, 4, 8, 8]);
        config["norm_num_groups"] = json!(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let vae = AutoencoderKl::fresh(&AutoencoderKlConfig::read(&path).unwrap(), 3, Device::Cpu).unwrap();
        vae.save(folder.path()).unwrap();
        let names = serde_json::from_value(unpacked("published_names")["folder"][model]["vae"].take()).unwrap();
        rename(&folder.path().join("diffusion_pytorch_model.safetensors"), &names, &[]);
        let loaded = AutoencoderKl::load(folder.path(), Kind::Float, Device::Cpu).unwrap();
        assert_eq!(loaded.variables().variables(), vae.variables().variables());
    }
}

#[test]
fn a_text_encoder_with_published_names_is_the_same_text_encoder() {
    const IDS: &str = "text_model.embeddings.position_ids";
    for model in ["sd15", "sd21"] {
        let config = fixture_json("full_size_configs")[model]["text_encoder"].take();
        let config: ClipTextConfig = serde_json::from_value(config).unwrap();
        let config = ClipTextConfig {
            vocab_size: 20,
            hidden_size: 8,
            intermediate_size: 8,
            num_attention_heads: 2,
            max_position_embeddings: 6,
            ..config
        };
        let folder = tempfile::tempdir().unwrap();
        let (vs, _) = clip::new::<ClipTextModel>(&config, 3, Device::Cpu).unwrap();
        clip::save::<ClipTextModel>(folder.path(), &vs, &config).unwrap();
        let names = unpacked("published_names")["folder"][model]["text_encoder"].take();
        let mut names: Vec<String> = serde_json::from_value(names).unwrap();
        names.retain(|name| name != IDS);
        let names = names.into_iter().map(|name| (name.clone(), name)).collect();
        let ids = Tensor::arange(6, (Kind::Int64, Device::Cpu)).unsqueeze(0);
        rename(&folder.path().join("model.safetensors"), &names, &[(IDS, ids)]);
        let (loaded, ..) = clip::load::<ClipTextModel>(folder.path(), Kind::Float, Device::Cpu).unwrap();
        assert_eq!(loaded.variables(), vs.variables());
    }
}
