//! `TrainVae`, and everything that works on the latents of what it yields.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::AutoencoderKl;
use hyper_flow_diffusion::weights::read_tensors;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::chain::{clip, digits, eval, sample, segment_distill, train_latent_teacher, train_vae, vae};
use crate::image_folder::coloured;
use crate::lab::Work;

/// The training pictures in [−1, 1].
fn pictures() -> Tensor {
    let images = &read_tensors(&digits().join("train.safetensors"), Kind::Float, Device::Cpu).unwrap()["images"];
    images / 127.5 - 1.0
}

#[test]
fn a_vae_learns_to_give_back_pictures() {
    let work = train_vae(json!({"steps": 60, "lr": 0.01, "ema": 0.9, "distance": "Mse"}));
    let ended = work.run();
    let losses = ended.succeeded().losses();
    assert_eq!(losses[0].keys().collect::<Vec<_>>(), ["kl", "reconstruction"]);
    // A picture of the mean shade everywhere is as far off as the pictures' deviation.
    let spread = pictures().var(true).double_value(&[]);
    let error = ended.metric("held_out_mse");
    assert!(error < 0.6 * spread, "{error} of {spread}");
    // What is yielded is what was measured, and its latents have the deviation that the UNet's noise has.
    let vae = AutoencoderKl::load(&work.job.output, Kind::Float, Device::Cpu).unwrap();
    let noise = Rng::at(1, "latents", 0).randn(&[pictures().size()[0], 2, 4, 4], (Kind::Float, Device::Cpu));
    let deviation = vae.to_latents(&pictures(), Some(&noise)).std(true).double_value(&[]);
    assert!((deviation - 1.0).abs() < 0.02, "{deviation}");
}

#[test]
fn more_weight_on_the_divergence_leaves_less_of_it() {
    let last = |kl: f64| {
        let work = train_vae(json!({"steps": 30, "lr": 0.01, "kl": kl}));
        let ended = work.run();
        ended.succeeded().losses().last().unwrap()["kl"] / kl
    };
    assert!(last(1.0) < 0.5 * last(1e-6));
}

/// A teacher of the latents of `vae`, and what it makes of the pictures.
fn teacher() -> &'static (TempDir, PathBuf) {
    static MADE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let work = train_latent_teacher(json!({"steps": 3}));
        work.artifact();
        work.into_artifact()
    });
    &MADE
}

#[test]
fn a_latent_teacher_is_a_folder_as_stable_diffusions() {
    let folder = &teacher().1;
    let index: Value = serde_json::from_str(&fs::read_to_string(folder.join("model_index.json")).unwrap()).unwrap();
    assert_eq!(index["vae"], json!(["diffusers", "AutoencoderKL"]));
    for file in ["config.json", "diffusion_pytorch_model.safetensors"] {
        let read = |from: PathBuf| fs::read(from.join(file)).unwrap();
        assert_eq!(read(folder.join("vae")), read(vae().to_owned()), "the VAE is not trained further");
    }
    let unet: Value = serde_json::from_str(&fs::read_to_string(folder.join("unet/config.json")).unwrap()).unwrap();
    assert_eq!([&unet["in_channels"], &unet["sample_size"]], [2, 4]);
}

#[test]
fn the_method_runs_on_latents() {
    let teacher = &teacher().1;
    let latents = Work::new("EncodeLatents", json!({"model": "model", "data": "data"}));
    let latents = latents.input("model", teacher).input("data", digits());
    latents.artifact();
    let student = segment_distill(json!({"steps": 3})).input("teacher", teacher).input("data", &latents.job.output);
    student.artifact();
    let drawn = sample(json!({"lora": "lora"})).input("model", teacher).input("lora", &student.job.output);
    let picture = image::load_from_memory(&drawn.artifact()["0000.png"]).unwrap();
    assert_eq!((picture.width(), picture.height()), (8, 8));
    let measured = eval(json!({"loras": {"tscd": "loras.tscd"}, "steps": [1], "samples": 20}));
    let measured = measured.input("teacher", teacher).input("loras.tscd", &student.job.output);
    assert!(measured.artifact().contains_key("metrics.json"));
}

#[test]
fn what_does_not_fit_is_told() {
    let deep = train_vae(json!({"steps": 1, "channels": [8, 8, 8, 8, 8]}));
    assert_snapshot!(deep.failure(), @"pictures of 8 pixels cannot be halved for 5 levels of `channels`");
    let deep = train_latent_teacher(json!({"steps": 1, "channels": [8, 8, 8, 8]}));
    assert_snapshot!(deep.failure(), @"pictures of 8 pixels, as latents of 2 pixels each, cannot be halved for 4 levels of `channels`");
    let colours = coloured();
    let teacher = train_latent_teacher(json!({"steps": 1})).input("data", &colours.job.output).input("text", clip());
    assert_snapshot!(teacher.failure(), @"the VAE encodes pictures of 1 channels, and the dataset's have 3; train it on the same dataset");
}
