//! `LoraExtract`: what was added to a model comes out of it again.

use std::path::Path;

use hyper_flow_diffusion::lora::{Lora, read_kohya_flat};
use hyper_flow_diffusion::weights::{Entry, read_tensors, write_tensors};
use hyper_flow_spec::Level;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, no_grad};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{export, teacher, train_teacher, tscd};
use crate::lab::Work;

fn lora(artifact: &Path) -> Lora {
    read_kohya_flat(&artifact.join("lora.safetensors"), Device::Cpu).unwrap()
}

fn extract(tuned: &Path, rank: i64) -> Work {
    let params = json!({"tuned": "tuned", "base": "base", "rank": rank});
    Work::new("LoraExtract", params).input("tuned", tuned).input("base", teacher())
}

fn norm(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}

/// A LoRA that is far enough from nothing that rounding of the weights is less than what it adds.
fn large() -> TempDir {
    let folder = copy(tscd());
    let path = folder.path().join("lora.safetensors");
    let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    for (_, up) in tensors.iter_mut().filter(|(key, _)| key.ends_with(".lora_up.weight")) {
        *up = &*up / norm(up);
    }
    write_tensors(&path, &tensors, None).unwrap();
    folder
}

#[test]
fn a_fused_lora_comes_back() {
    let folder = large();
    let fused = export(json!({"formats": ["Fused"]})).input("lora", folder.path());
    fused.artifact();
    let model = fused.job.output.join("fused");
    let work = extract(&model, 2);
    let ended = work.run();
    assert!(ended.succeeded().metric("extraction_error") < 1e-4 && ended.metric("left_out") == 0.0);
    let (before, after) = (lora(folder.path()), lora(&work.job.output));
    assert!(before.layers.keys().eq(after.layers.keys()));
    for (path, layer) in &before.layers {
        let (ours, own) = (after.delta(path).unwrap(), layer.delta());
        let apart = norm(&(&ours - &own)) / norm(&own);
        assert!(apart < 1e-4, "{path} {apart:e} of {:e}", norm(&own));
    }
    // A rank that does not hold it.
    let work = extract(&model, 1);
    let error = work.run().succeeded().metric("extraction_error");
    assert!(0.01 < error && error < 1.0, "{error}");
    let report: Value = serde_json::from_slice(&work.files()["extraction.json"]).unwrap();
    let blocks: Vec<_> = report["blocks"].as_object().unwrap().keys().collect();
    assert_eq!(blocks, ["down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.0", "up_blocks.1"]);
}

#[test]
fn what_a_lora_cannot_hold_is_told() {
    let fused = export(json!({"formats": ["Fused"]}));
    fused.artifact();
    let folder = copy(&fused.job.output.join("fused"));
    let change = |file: &str, key: &str| {
        let path = folder.path().join(file);
        let tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
        let _ = no_grad(|| tensors[key].shallow_clone().g_add_scalar_(0.01));
        write_tensors(&path, &tensors, Some(Entry::FORMAT_PT)).unwrap();
    };
    change("unet/diffusion_pytorch_model.safetensors", "conv_in.bias");
    change("text_encoder/model.safetensors", "text_model.final_layer_norm.bias");
    let work = extract(folder.path(), 2);
    let ended = work.run();
    let left_out = ended.succeeded().metric("left_out");
    assert!(0.0 < left_out && left_out < 1.0, "{left_out}");
    assert_eq!(ended.messages(Level::Warning), ["text_encoder differs, too: a LoRA of the UNet does not have that"]);
}

#[test]
fn models_of_two_structures_and_equal_ones_are_refused() {
    let message = extract(teacher(), 2).failure();
    assert_eq!(message, "lora: the two models have equal weights where a LoRA can sit");
    let other = train_teacher(json!({"steps": 1, "channels": [16, 32]}));
    other.artifact();
    let message = extract(&other.job.output, 2).failure();
    assert!(message.contains(" in one model and ") || message.contains("keys do not fit"), "{message}");
}
