//! `PretrainedLora`: a LoRA comes in however it was saved, and is the same LoRA.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::lora::{Lora, read_kohya, read_kohya_flat, write_kohya};
use hyper_flow_diffusion::unet::{self, UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use hyper_flow_flaky_hub::{COMMIT, Server};
use hyper_flow_spec::Level;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{export, over, teacher, tscd};
use crate::lab::{Work, assert_same};

/// What peft trained and wrote, for a model of the digits' structure.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/lora_trained").join(name)
}

/// The UNet's configuration of a model that the fixture's LoRAs are for.
fn config() -> UNet2DConditionConfig {
    let text = fs::read_to_string(fixture("../unet_digits.json")).unwrap();
    let described: Value = serde_json::from_str(&text).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), described["config"].to_string()).unwrap();
    UNet2DConditionConfig::read(file.path()).unwrap()
}

/// A model folder with that UNet.
fn model() -> TempDir {
    let folder = copy(teacher());
    let vs = nn::VarStore::new(Device::Cpu);
    UNet2DConditionModel::new(&vs, &config()).unwrap();
    hyper_flow_diffusion::layers::init_weights(&vs, 1);
    unet::save(&folder.path().join("unet"), &vs, &config()).unwrap();
    folder
}

fn job(changes: Value, model: &Path) -> Work {
    Work::new("PretrainedLora", over(json!({"model": "model"}), changes)).input("model", model)
}

fn from_path(path: &Path, model: &Path) -> Work {
    job(json!({"path": "path"}), model).file("path", path)
}

fn lora(artifact: &Path) -> Lora {
    let unet = UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config()).unwrap();
    read_kohya(&artifact.join("lora.safetensors"), unet.modules(), Device::Cpu).unwrap()
}

#[test]
fn what_peft_saved_comes_in_with_its_scale() {
    let model = model();
    for (name, rank, scale) in
        [("pipeline.safetensors", 3, 5.0 / 2.0), ("model", 3, 2.0 / 3f64.sqrt()), ("adapter.safetensors", 4, 1.0 / 4.0)]
    {
        let work = from_path(&fixture(name), model.path());
        work.artifact();
        let lora = lora(&work.job.output);
        let of = &lora.layers["mid_block.resnets.0.conv1"];
        assert_eq!(lora.rank(), rank, "{name}");
        assert!((of.scale() - scale).abs() < 1e-6, "{name} {}", of.scale());
    }
    // A file alone does not say it.
    let file = fixture("model/adapter_model.safetensors");
    assert_snapshot!(from_path(&file, model.path()).failure(), @"lora: <path>: alpha is not known: the header does not say it (lora_adapter_metadata); give the folder that also has adapter_config.json, or write the alpha it was trained with into `alpha` (diffusers' own scripts took the rank)");
    let work = job(json!({"path": "path", "alpha": 6.0}), model.path()).file("path", &file);
    work.artifact();
    assert!(lora(&work.job.output).layers.values().all(|layer| layer.alpha == 6.0));
}

#[test]
fn what_was_exported_comes_in_again() {
    let exported = export(json!({}));
    exported.artifact();
    let name = "lora.safetensors";
    let kohya = from_path(&exported.job.output.join(name), teacher()).artifact();
    let diffusers = from_path(&exported.job.output.join("pytorch_lora_weights.safetensors"), teacher()).artifact();
    assert_same("both files", &kohya, &diffusers);
    let written = fs::read(exported.job.output.join(name)).unwrap();
    assert!(tensors(&kohya[name]) == tensors(&written), "other names, shapes or values");
}

/// What a safetensors file says of its tensors, and their bytes; without what is told of the whole.
fn tensors(file: &[u8]) -> (Value, Vec<u8>) {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, bytes) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    (header, bytes.to_vec())
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    assert_snapshot!(from_path(folder.path(), teacher()).failure(), @"lora: <path> has no safetensors file");
    let message = from_path(&fixture("pipeline.safetensors"), teacher()).failure();
    assert!(message.starts_with("<path>: keys do not fit: ") || message.starts_with("lora: "), "{message}");
    write_kohya(&Lora::default(), &path).unwrap();
    assert_snapshot!(from_path(&path, teacher()).failure(), @"lora: <path> holds no adapter");
}

#[test]
fn a_lora_comes_from_a_hub() {
    let (file, config) = (
        fs::read(fixture("model/adapter_model.safetensors")).unwrap(),
        fs::read(fixture("model/adapter_config.json")).unwrap(),
    );
    let model = model();
    let whole = from_path(&fixture("model"), model.path()).artifact();
    let hub = json!({"repo": "org/lora", "revision": COMMIT});
    let job = |hub: Value, server: &Server| job(json!({"hub": hub}), model.path()).env("HF_ENDPOINT", &server.url());

    let files: [(&str, &[u8]); 3] = [
        ("a/b/adapter_model.safetensors", &file),
        ("a/b/adapter_config.json", &config),
        ("a/adapter_config.json", b"{}"),
    ];
    let server = Server::new("org/lora", &files);
    assert_same("two folders down", &job(hub.clone(), &server).artifact(), &whole);

    let pipeline = fs::read(fixture("pipeline.safetensors")).unwrap();
    let server = Server::new("org/lora", &[("one.safetensors", &pipeline), ("two.safetensors", &file)]);
    let message = job(hub.clone(), &server).failure();
    assert!(
        message.ends_with("has 2 safetensors files: name one, for example `files: [\"one.safetensors\"]`"),
        "{message}"
    );
    let named = over(hub, json!({"files": ["one.safetensors"]}));
    let one = from_path(&fixture("pipeline.safetensors"), model.path()).artifact();
    assert_same("the one that is named", &job(named, &server).artifact(), &one);
}

#[test]
fn another_adapter_is_converted_and_the_error_told() {
    let folder = copy(tscd());
    let path = folder.path().join("lora.safetensors");
    let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    let module = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
    let width = tensors[&format!("{module}.lora_down.weight")].size()[1];
    tensors.insert(format!("{module}.dora_scale"), Tensor::ones([1, width], (Kind::Float, Device::Cpu)));
    write_tensors(&path, &tensors, None).unwrap();
    let message = from_path(&path, teacher()).failure();
    assert!(message.contains("is a DoRA (") && message.contains("`convert: Svd(32)`, makes one of it"), "{message}");
    let work = job(json!({"path": "path", "convert": {"Svd": 4}}), teacher()).file("path", &path);
    let ended = work.run();
    let (total, worst) = (ended.succeeded().metric("conversion_error"), ended.metric("worst_conversion_error"));
    assert!(0.0 < total && total < worst && worst < 1.0, "{total} {worst}");
    let report: Value = serde_json::from_slice(&work.files()["conversion.json"]).unwrap();
    assert_eq!((&report["rank"], &report["error"]), (&json!(4), &json!(total)));
    let blocks = report["blocks"].as_object().unwrap();
    let lossy: Vec<_> = blocks.iter().filter(|(_, error)| error.as_f64() != Some(0.0)).map(|(name, _)| name).collect();
    assert_eq!(lossy, ["mid_block"]);
    let [before, after] = [tscd(), &work.job.output]
        .map(|folder| read_kohya_flat(&folder.join("lora.safetensors"), Device::Cpu).unwrap());
    let flat = module.trim_start_matches("lora_unet_");
    for (path, layer) in &before.layers {
        assert_eq!(after.layers[path].delta() == layer.delta(), path != flat, "{path}");
    }
}

#[test]
fn an_alpha_is_used_where_there_is_none_and_contradicts_nothing() {
    let folder = copy(tscd());
    let path = folder.path().join("lora.safetensors");
    let given = |alpha: f64| job(json!({"path": "path", "alpha": alpha}), teacher()).file("path", &path);
    let message = given(3.5).failure();
    assert!(
        message.contains("`alpha` is 3.5, and the file says 2 of ") && message.ends_with("leave `alpha` out"),
        "{message}"
    );
    let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    tensors.retain(|key, _| !key.ends_with(".alpha"));
    write_tensors(&path, &tensors, None).unwrap();
    let work = given(3.5);
    work.artifact();
    let lora = read_kohya_flat(&work.job.output.join("lora.safetensors"), Device::Cpu).unwrap();
    assert!(lora.layers.values().all(|layer| layer.alpha == 3.5));
}

#[test]
fn parts_for_text_encoders_are_left_out_when_that_is_said() {
    let folder = copy(tscd());
    let path = folder.path().join("lora.safetensors");
    let plain = from_path(&path, teacher()).artifact();
    let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    for (part, shape) in [("lora_down.weight", [2, 8]), ("lora_up.weight", [8, 2])] {
        let key = format!("lora_te_text_model_encoder_layers_0_mlp_fc1.{part}");
        tensors.insert(key, Tensor::ones(shape, (Kind::Float, Device::Cpu)));
    }
    tensors.insert("bundle_emb.cat.string_to_param.*".into(), Tensor::ones([8], (Kind::Float, Device::Cpu)));
    write_tensors(&path, &tensors, None).unwrap();
    let message = from_path(&path, teacher()).failure();
    assert!(
        message.contains("also has the embeddings cat (bundle_emb.cat") && message.contains("`text: Drop`"),
        "{message}"
    );
    let work = job(json!({"path": "path", "text": "Drop"}), teacher()).file("path", &path);
    let ended = work.run();
    assert_eq!(
        ended.succeeded().messages(Level::Warning),
        ["left out: 1 module of text encoders and the embeddings cat; what is left may draw something else"]
    );
    assert_same("without them", &work.files(), &plain);
}
