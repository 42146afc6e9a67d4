//! A number that is none stops the node, which says where, and keeps the last good checkpoint.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::weights::{Entry, read_tensors, write_tensors};
use serde_json::json;
use tch::{Device, Kind, no_grad};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{
    clip, reward_finetune, sample, score_distill, segment_distill, teacher, train_clip, train_judge, train_teacher,
    tscd,
};
use crate::lab::Work;

/// A copy of an artifact with one weight that is not a number: the first whose key ends so.
pub(crate) fn poisoned(artifact: &Path, file: &str, ending: &str) -> TempDir {
    let folder = copy(artifact);
    let path = folder.path().join(file);
    let tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    let (_, weight) = tensors.iter().find(|(key, _)| key.ends_with(ending)).unwrap();
    let _ = no_grad(|| weight.shallow_clone().fill_(f64::NAN));
    write_tensors(&path, &tensors, Some(Entry::FORMAT_PT)).unwrap();
    folder
}

const UNET: (&str, &str) = ("unet/diffusion_pytorch_model.safetensors", "conv_out.bias");

#[test]
fn a_poisoned_input_is_told_by_step_and_term() {
    let teacher = poisoned(teacher(), UNET.0, UNET.1);
    let clip = poisoned(clip(), "model.safetensors", "text_model.final_layer_norm.bias");
    let eyes = poisoned(self::clip(), "model.safetensors", "visual_projection.weight");
    let teacher = teacher.path();
    let steps = || json!({"steps": 2, "student": "student"});
    let cases = [
        (train_teacher(json!({"steps": 2})).input("text", clip.path()), "denoising"),
        (segment_distill(steps()).input("teacher", teacher), "consistency"),
        (reward_finetune(steps()).input("rewards.0.model", eyes.path()), "reward.0"),
        (score_distill(steps()).input("teacher", teacher), "fake.denoising"),
    ];
    for (work, term) in cases {
        let told = format!("step 1: the loss term `{term}` is NaN; nothing after step 0 is kept. ");
        let failure = work.failure();
        assert!(failure.starts_with(&told), "{term}: {failure}");
        assert!(work.checkpoints().is_empty());
    }
}

#[test]
fn what_comes_in_broken_is_refused_by_key() {
    let lora = poisoned(tscd(), "lora.safetensors", ".lora_up.weight");
    let distilled = segment_distill(json!({"steps": 2, "student": "student"})).input("student", lora.path());
    let imported = Work::new("PretrainedLora", json!({"model": "model", "path": "path"}))
        .input("model", teacher())
        .file("path", &lora.path().join("lora.safetensors"));
    for message in [distilled.failure(), imported.failure()] {
        assert!(message.contains(".lora_up.weight holds NaN: the file is broken"), "{message}");
    }
    let model = poisoned(teacher(), UNET.0, UNET.1);
    let message = Work::new("Diffusers", json!({"path": "path"})).file("path", model.path()).failure();
    assert!(
        message.ends_with("conv_out.bias holds NaN: the file is broken, take another or save it again"),
        "{message}"
    );
    let clip = poisoned(clip(), "model.safetensors", "visual_projection.weight");
    let message = Work::new("PretrainedClip", json!({"path": "path"})).file("path", clip.path()).failure();
    assert!(message.contains("visual_projection.weight holds NaN"), "{message}");
}

#[test]
fn a_training_that_explodes_keeps_the_checkpoint_before() {
    let wild = json!({"steps": 9, "lr": 1e30, "lr_decay": "Constant"});
    for work in [train_judge(wild.clone()), train_clip(wild.clone()), segment_distill(wild)] {
        let work = work.with(|job| job.checkpoint_seconds = 0.0);
        let failure = work.failure();
        assert!(failure.starts_with("step 2: the loss term `"), "{failure}");
        assert!(failure.contains("nothing after step 1 is kept"), "{failure}");
        let kept = fs::read(work.checkpoint()).unwrap();
        // It goes on from there and fails again, and still nothing is lost.
        assert_eq!(work.failure(), failure);
        assert_eq!(fs::read(work.checkpoint()).unwrap(), kept);
        assert_eq!(read_tensors(&work.checkpoint(), Kind::Float, Device::Cpu).unwrap()["step"].int64_value(&[]), 1);
    }
}

#[test]
fn weights_that_overflow_in_the_last_step_are_not_yielded() {
    let work = train_judge(json!({"steps": 1, "lr": 1e39, "lr_decay": "Constant"}));
    let failure = work.failure();
    assert!(failure.starts_with("step 1: the weight `"), "{failure}");
    assert!(work.files().is_empty() && work.checkpoints().is_empty());
}

#[test]
fn pictures_that_are_no_numbers_are_not_drawn() {
    let teacher = poisoned(teacher(), UNET.0, UNET.1);
    let failure = sample(json!({})).input("model", teacher.path()).failure();
    assert_eq!(failure, "the pictures of `model` in 2 steps are not finite; its weights are broken");
}
