mod eight;
mod files;
mod folders;
mod hostile;

use super::*;
use crate::error::DiffusionError as E;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, nn};

const CPU: Device = Device::Cpu;

fn model() -> nn::VarStore {
    let vs = nn::VarStore::new(CPU);
    crate::layers::Linear::new(&(vs.root() / "text" / "proj"), 3, 2, true);
    crate::layers::init_weights(&vs, 1);
    vs
}

fn saved(change: impl Fn(&mut BTreeMap<String, Tensor>)) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tensors = model().variables().into_iter().collect();
    change(&mut tensors);
    write_tensors(file.path(), &tensors, None).unwrap();
    file
}

fn ones(shape: &[i64]) -> Tensor {
    Tensor::ones(shape, (Kind::Float, CPU))
}
