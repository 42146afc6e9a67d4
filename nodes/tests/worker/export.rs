//! Artifacts for Python to open: run by hand, see tests/parity/open_artifacts.py and tests/parity/open_pipelines.py.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::{Adapters, read_kohya};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{load_var_store, write_tensors};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn, no_grad};

use crate::bad_inputs::copy_into;
use crate::chain::{export, lora_merge, over, segment_distill, train_latent_teacher, train_teacher, train_vae};
use crate::exports::mix;
use crate::lab::Work;
use crate::stable_diffusion::write_lora;
use crate::tiny_models::{Family, Tiny};

fn out() -> PathBuf {
    PathBuf::from(std::env::var_os("PARITY_OUT").expect("PARITY_OUT names a folder"))
}

/// Parameters of `Sample`, by the name of the folder that the pictures are written to.
fn samples() -> Vec<(&'static str, Value)> {
    let base = json!({
        "model": "model", "prompts": ["a red fox by the house", "The sea, \u{4e03}!"], "count": 2, "steps": 4, "guidance": 3.0,
    });
    let cases = [
        ("ddim", json!({})),
        ("unguided", json!({"guidance": 1.0})),
        ("negative", json!({"negative_prompt": "a handwritten digit"})),
        ("empty_negative", json!({"negative_prompt": ""})),
        ("tcd", json!({"sampler": {"Tcd": 0.3}})),
        ("lcm", json!({"sampler": "Lcm", "guidance": 1.0})),
        ("euler", json!({"sampler": "Euler"})),
        ("large", json!({"size": 88})),
        ("lora", json!({"lora": "lora"})),
        ("lora_tcd", json!({"lora": "lora", "sampler": {"Tcd": 1.0}, "steps": 2})),
        ("exported", json!({"lora": "mixed", "sampler": {"Tcd": 0.3}})),
    ];
    cases.into_iter().map(|(name, changes)| (name, over(base.clone(), changes))).collect()
}

#[test]
#[ignore = "writes for Python into the folder that PARITY_OUT names"]
fn write_pipelines() {
    for (name, family) in [("sd15", Family::Sd15), ("sd21", Family::Sd21), ("sdxl", Family::Sdxl)] {
        let (tiny, folder) = (Tiny::new(family), out().join(name));
        let (model, lora, mixed) = (folder.join("model"), folder.join("lora"), folder.join("mixed"));
        tiny.write(&model);
        for lora in [&lora, &mixed] {
            std::fs::create_dir_all(lora).unwrap();
            write_lora(&tiny, &lora.join("lora.safetensors"));
        }
        mix(&mixed.join("lora.safetensors"));
        let formats = json!(["Kohya", "Diffusers", "Model", "Fused"]);
        let export = export(json!({"formats": formats, "sampler": {"Tcd": 0.3}}));
        let export = export.input("model", &model).input("lora", &mixed);
        export.artifact();
        copy_into(&export.job.output, &folder.join("export"));
        for (case, params) in samples() {
            let work = Work::new("Sample", params.clone()).input("model", &model);
            let work = work.input("lora", &lora).input("mixed", &mixed);
            work.artifact();
            copy_into(&work.job.output, &folder.join(case));
            let job = json!({"params": params, "seed": work.job.seed});
            std::fs::write(folder.join(case).join("job.json"), job.to_string()).unwrap();
        }
    }
}

/// A model that was trained here, VAE included.
#[test]
#[ignore = "writes for Python into the folder that PARITY_OUT names"]
fn write_trained_pipeline() {
    let folder = out().join("trained");
    let vae = train_vae(json!({"steps": 20, "lr": 0.01}));
    vae.artifact();
    let model = train_latent_teacher(json!({"steps": 20})).input("vae", &vae.job.output);
    model.artifact();
    copy_into(&model.job.output, &folder.join("model"));
    let prompts = json!(["a handwritten digit seven", "a handwritten digit one"]);
    for (case, changes) in [("ddim", json!({})), ("tcd", json!({"sampler": {"Tcd": 0.3}}))] {
        let params =
            over(json!({"model": "model", "prompts": prompts, "count": 2, "steps": 4, "guidance": 3.0}), changes);
        let work = Work::new("Sample", params.clone()).input("model", &model.job.output);
        work.artifact();
        copy_into(&work.job.output, &folder.join(case));
        let job = json!({"params": params, "seed": work.job.seed});
        std::fs::write(folder.join(case).join("job.json"), job.to_string()).unwrap();
    }
}

#[test]
#[ignore = "writes for Python into the folder that PARITY_OUT names"]
fn write_artifacts() {
    let out = out();
    // Trained far enough that a LoRA shows.
    let teacher = train_teacher(json!({"steps": 20}));
    teacher.artifact();
    let student = segment_distill(json!({"steps": 20, "alpha": 1.0, "lr": 0.02})).input("teacher", &teacher.job.output);
    student.artifact();
    let merged = lora_merge(json!({"rank": 3})).input("loras.0.0", &student.job.output);
    merged.artifact();
    copy_into(&teacher.job.output, &out.join("model"));
    copy_into(&student.job.output, &out.join("student"));
    copy_into(&merged.job.output, &out.join("merged"));

    let unet_folder = out.join("model/unet");
    let config = UNet2DConditionConfig::read(&unet_folder.join("config.json")).unwrap();
    let store = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&store, &config).unwrap();
    load_var_store(&store, &unet_folder.join("diffusion_pytorch_model.safetensors"), "").unwrap();
    let options = (Kind::Float, Device::Cpu);
    let sample = Rng::at(1, "sample", 0).randn(&[2, 1, 8, 8], options);
    let text = Rng::at(1, "text", 0).randn(&[2, 5, config.cross_attention_dim.get(0)], options);
    let t = Tensor::from_slice(&[999i64, 20]);
    let output = |adapters: &Adapters<'_>| no_grad(|| unet.forward(&sample, &t, &text, None, adapters, &Tape::off()));
    let lora = |name: &str| read_kohya(&out.join(name).join("lora.safetensors"), unet.modules(), Device::Cpu).unwrap();
    let outputs = BTreeMap::from([
        ("model".to_owned(), output(&Adapters::none())),
        ("student".to_owned(), output(&Adapters::one(&lora("student")))),
        ("merged".to_owned(), output(&Adapters::one(&lora("merged")))),
        ("sample".to_owned(), sample.shallow_clone()),
        ("text".to_owned(), text.shallow_clone()),
    ]);
    write_tensors(&out.join("outputs.safetensors"), &outputs, None).unwrap();
}
