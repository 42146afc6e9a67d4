//! The full-size models: every name, in both directions, and the configurations.

use super::*;
use crate::model_folder::{Component, Parts};
use crate::schedulers::PredictionType;
use crate::single_file::keys::{Layout, Place, place};
use crate::weights::Part;
use std::collections::BTreeSet;

type Shapes = BTreeMap<String, Vec<i64>>;

fn layout(family: Family) -> Layout {
    let text_layers = if family == Family::StableDiffusion2 { 23 } else { 12 };
    Layout { family, layers_per_block: 2, vae_blocks: 4, text_layers }
}

fn told(component: Component, name: String, part: Part) -> (String, String, String) {
    let part = match part {
        Part::Whole => "whole".into(),
        Part::Third(i) => format!("third {i}"),
        Part::Transposed => "transposed".into(),
    };
    (component.folder().into(), name, part)
}

#[test]
fn every_key_goes_where_diffusers_puts_it() {
    for (name, family) in FAMILIES {
        let table = fixture::<BTreeMap<String, Vec<Value>>>("single_file_names").remove(name).unwrap();
        for (key, entry) in &table {
            let expected = serde_json::from_value(Value::Array(entry[1..].to_vec())).unwrap();
            let found: Vec<_> = match place(key, &layout(family)) {
                Some(Place::In(component, names)) => {
                    names.into_iter().map(|(name, part)| told(component, name, part)).collect()
                }
                Some(Place::Nowhere) => vec![],
                None => panic!("{key} is not known"),
            };
            assert_eq!(found, Vec::<_>::from_iter::<Vec<(String, String, String)>>(expected), "{name} {key}");
        }
    }
}

#[test]
fn every_published_name_has_a_place_in_the_model() {
    let published = fixture::<Value>("published_names").remove("single_file").unwrap();
    let published: BTreeMap<String, Vec<String>> = serde_json::from_value(published).unwrap();
    for (name, family) in FAMILIES.into_iter().filter(|(name, _)| published.contains_key(*name)) {
        let lost: Vec<_> =
            published[name].iter().filter(|key| !matches!(place(key, &layout(family)), Some(Place::In(..)))).collect();
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
}

#[test]
fn every_tensor_of_the_model_comes_from_one_key_in_its_shape() {
    let models = fixture::<BTreeMap<String, Shapes>>("full_size_keys");
    for (name, family) in FAMILIES {
        let table = fixture::<BTreeMap<String, Vec<Value>>>("single_file_names").remove(name).unwrap();
        let mut made = BTreeMap::<String, Shapes>::new();
        for (key, entry) in &table {
            let shape: Vec<i64> = serde_json::from_value(entry[0].clone()).unwrap();
            let Some(Place::In(component, names)) = place(key, &layout(family)) else { continue };
            for (name, part) in names {
                let part = part.shape(&shape).unwrap();
                // A VAE's attention was made of convolutions.
                let attention = component == Component::Vae && name.contains(".to_");
                let shape = if attention && part.len() == 4 { part[..2].to_vec() } else { part };
                let before = made.entry(component.folder().into()).or_default().insert(name.clone(), shape);
                assert!(before.is_none(), "{name} comes from two keys");
            }
        }
        assert_eq!(made, models[name], "{name}");
    }
}

#[test]
fn configurations_are_the_published_ones() {
    let text = fs::read_to_string(fixtures().join("full_size_configs.json")).unwrap();
    let all: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    for (name, family) in FAMILIES {
        let folder = tempfile::tempdir().unwrap();
        for (component, config) in &all[name] {
            fs::create_dir(folder.path().join(component)).unwrap();
            fs::write(folder.path().join(component).join("config.json"), config.to_string()).unwrap();
        }
        let index = crate::ModelIndex { text_encoder_2: name == "sdxl", vae: true, force_zeros_for_empty_prompt: true };
        let published = Parts::read(folder.path(), &index).unwrap();
        let prediction = if name == "sd21" { PredictionType::VPrediction } else { PredictionType::Epsilon };
        assert_eq!(configs::parts(family, prediction), published, "{name}");
    }
}

#[test]
fn what_is_not_a_key_of_the_model_is_not_known() {
    for key in [
        "model.diffusion_model.input_blocks.0.1.weight",
        "model.diffusion_model.input_blocks.x.0.weight",
        "model.diffusion_model.input_blocks.1.2.in_layers.0.weight",
        "model.diffusion_model.input_blocks.1.0.in_layers.1.weight",
        "model.diffusion_model.middle_block.3.norm.weight",
        "model.diffusion_model.output_blocks.1.3.conv.weight",
        "model.diffusion_model.time_embed.1.weight",
        "model.diffusion_model.time_embed.10.weight",
        "model.diffusion_model.out",
        "first_stage_model.encoder.mid.attn_2.q.weight",
        "first_stage_model.encoder.mid.attn_1.x.weight",
        "first_stage_model.decoder.up.4.block.0.conv1.weight",
        "first_stage_model.decoder.down.0.block.0.conv1.weight",
        "first_stage_model.loss.logvar",
        "conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_x.weight",
        "conditioner.embedders.2.weight",
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
        "extra",
        "",
    ] {
        assert_eq!(place(key, &layout(Family::StableDiffusionXl)), None, "{key}");
    }
}

#[test]
fn no_two_keys_have_one_place() {
    for (name, family) in FAMILIES {
        let table = fixture::<BTreeMap<String, Vec<Value>>>("single_file_names").remove(name).unwrap();
        let places: Vec<_> = table.keys().filter_map(|key| place(key, &layout(family))).collect();
        let names = places.iter().filter_map(|place| match place {
            Place::In(component, names) => Some(names.iter().map(move |(name, _)| (*component, name))),
            Place::Nowhere => None,
        });
        let names: Vec<_> = names.flatten().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{name}");
    }
}

/// A file of zeros that takes no room on the disk, unless the file system has no holes.
fn sparse(path: &Path, table: &BTreeMap<String, Vec<Value>>) {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (key, entry) in table {
        let shape: Vec<u64> = serde_json::from_value(entry[0].clone()).unwrap();
        let start = end;
        end += 2 * shape.iter().product::<u64>();
        header.insert(key.clone(), serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(header).to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(8 + header.len() as u64 + end).unwrap();
}

#[test]
fn full_size_files_have_all_that_the_published_configurations_ask_for() {
    let tokenizer = fixtures().join("tokenizer");
    for (name, family) in FAMILIES {
        let table = fixture::<BTreeMap<String, Vec<Value>>>("single_file_names").remove(name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        sparse(&path, &table);
        let options = SingleFileOptions { tokenizer: Some(&tokenizer), ..Default::default() };
        let source = ModelSource::of_single_file(&path, &options).unwrap();
        assert_eq!(Family::of(&Weights::open(&path).unwrap()).unwrap(), family);
        let tensors: usize = source.weights.iter().flat_map(|part| part.tensors.values()).map(BTreeMap::len).sum();
        assert_eq!(tensors, [1130, 1306, 2641][family as usize], "{name}");
    }
}
