//! Model folders of this machine.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{sample, teacher};
use crate::lab::{Work, assert_same};

fn import(folder: &Path, variant: Option<&str>) -> Work {
    Work::new("Diffusers", json!({"path": "path", "variant": variant})).file("path", folder)
}

/// The teacher, with its weights called otherwise.
fn renamed(from: &str, to: &str) -> TempDir {
    let folder = copy(teacher());
    fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    folder
}

#[test]
fn a_model_of_here_comes_through_unchanged() {
    let own = import(teacher(), None);
    assert_same("the model", &own.artifact(), &import(teacher(), None).artifact());
    sample(json!({})).input("model", &own.job.output).run().succeeded();
}

#[test]
fn a_variant_loses_its_name_and_what_is_not_needed_stays_behind() {
    let plain = import(teacher(), None).artifact();
    let weights = "unet/diffusion_pytorch_model";
    let folder = renamed(&format!("{weights}.safetensors"), &format!("{weights}.fp16.safetensors"));
    fs::write(folder.path().join("unet/diffusion_pytorch_model.bin"), "pickle").unwrap();
    fs::create_dir(folder.path().join("safety_checker")).unwrap();
    fs::write(folder.path().join("safety_checker/model.safetensors"), "large").unwrap();
    assert_same("the model", &import(folder.path(), Some("fp16")).artifact(), &plain);
    let message = import(folder.path(), None).failure();
    assert_eq!(message, "<path>: has no plain unet/diffusion_pytorch_model.safetensors; `variant` can be `fp16`");
}

#[test]
fn a_folder_of_something_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let message = import(folder.path(), None).failure();
    assert_eq!(message, "<path>: has no model_index.json, so it is no diffusers folder");
    let folder = copy(teacher());
    let index = folder.path().join("model_index.json");
    fs::write(&index, fs::read_to_string(&index).unwrap().replace("\"CLIPTextModel\"", "\"T5EncoderModel\"")).unwrap();
    let message = import(folder.path(), None).failure();
    assert!(message.contains("T5EncoderModel"), "{message}");
}
