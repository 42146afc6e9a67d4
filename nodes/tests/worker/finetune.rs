//! `FinetuneLora` and `LoraFuse`: a style, and a model that has it.

use hyper_flow_diffusion::lora::{Lora, read_kohya_flat};
use hyper_flow_diffusion::weights::read_tensors;
use serde_json::json;
use tch::{Device, Kind};

use crate::chain::{delta, finetune_lora, teacher, tscd};
use crate::lab::Work;

fn read(artifact: &std::path::Path) -> Lora {
    read_kohya_flat(&artifact.join("lora.safetensors"), Device::Cpu).unwrap()
}

#[test]
fn a_lora_learns_what_the_model_does_not_draw() {
    let ended = finetune_lora(json!({"steps": 60, "lr": 0.01, "batch": 32})).run();
    let losses: Vec<f64> = ended.succeeded().losses().iter().map(|step| step["denoising"]).collect();
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[50..]));
    assert!(last < 0.9 * first, "{first} at first, {last} at last");
}

#[test]
fn it_goes_on_from_a_lora() {
    let work = finetune_lora(json!({"steps": 1, "lora": "lora", "lr": 1e-12, "ema": 0.0}));
    work.run().succeeded();
    let (before, after) = (read(tscd()), read(&work.job.output));
    assert_eq!(before.layers.keys().collect::<Vec<_>>(), after.layers.keys().collect::<Vec<_>>());
    for path in before.layers.keys() {
        let moved = (before.delta(path).unwrap() - after.delta(path).unwrap()).abs().max().double_value(&[]);
        assert!(moved < 1e-9, "{path} moved by {moved}");
    }
}

#[test]
fn a_fused_model_has_the_loras_in_its_weights_and_is_else_the_same() {
    let loras = json!([["loras.0.0", 1.0], ["loras.1.0", -0.5]]);
    let work = Work::new("LoraFuse", json!({"model": "model", "loras": loras}))
        .input("model", teacher())
        .input("loras.0.0", tscd())
        .input("loras.1.0", delta());
    let ended = work.run();
    assert!(ended.succeeded().metric("rounding_error") < 1e-4);
    let unet = "unet/diffusion_pytorch_model.safetensors";
    let weights = |folder: &std::path::Path| read_tensors(&folder.join(unet), Kind::Double, Device::Cpu).unwrap();
    let (before, after, tscd, delta) = (weights(teacher()), weights(&work.job.output), read(tscd()), read(delta()));
    let mut adapted = 0;
    for (name, weight) in &before {
        let path = name.trim_end_matches(".weight").replace('.', "_");
        let expected = match (tscd.delta(&path), delta.delta(&path)) {
            (Some(a), Some(b)) => {
                adapted += 1;
                weight + a.to_kind(Kind::Double) - b.to_kind(Kind::Double) * 0.5
            }
            _ => weight.shallow_clone(),
        };
        let off = (&after[name] - expected).abs().max().double_value(&[]);
        assert!(off < 1e-6, "{name} is off by {off}");
    }
    assert_eq!(adapted, tscd.layers.len());
    let others = |folder: &std::path::Path| {
        let text = std::fs::read(folder.join("text_encoder/model.safetensors")).unwrap();
        (text, std::fs::read(folder.join("model_index.json")).unwrap())
    };
    assert!(others(teacher()) == others(&work.job.output));
}
