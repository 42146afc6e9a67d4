//! Weights that depend on nothing but their names and shapes.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{Entry, read_tensors, write_tensors};
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::bad_inputs::copy;

/// A copy of an artifact whose weights depend on nothing but who made them, their names and shapes.
pub(super) fn by_formula(kind: &str, artifact: &Path) -> TempDir {
    let folder = copy(artifact);
    let mut open = vec![folder.path().to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            let tensors = read_tensors(&path, tch::Kind::Float, Device::Cpu).unwrap();
            let tensors = tensors.into_iter().map(|(key, x)| (key.clone(), weight(kind, &key, &x))).collect();
            write_tensors(&path, &tensors, Some(Entry::FORMAT_PT)).unwrap();
        }
    }
    folder
}

/// Scales near 1, offsets near 0, and matrices that keep the size of what goes through them. Pictures, which are bytes,
/// and single numbers stay.
pub(super) fn weight(kind: &str, key: &str, like: &Tensor) -> Tensor {
    let size = like.size();
    let drawn = |spread: f64| {
        Rng::at(0, &format!("{kind}/{key}"), 0).uniform(-spread, spread, &size, (tch::Kind::Float, Device::Cpu))
    };
    match size[..] {
        _ if like.kind() != tch::Kind::Float => like.copy(),
        [] => like.copy(),
        [_] if key.ends_with("weight") => drawn(0.2) + 1.0,
        [_] => drawn(0.2),
        _ if key.contains("lora_up") => drawn(0.1),
        _ => drawn((3.0 / size[1..].iter().product::<i64>() as f64).sqrt()),
    }
}
