//! The state of a training on disk: all that the next step depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use tch::{Device, Kind, Tensor, no_grad};

/// Where a job keeps its checkpoint.
pub(super) fn path(scratch: &Path) -> PathBuf {
    scratch.join("checkpoint.safetensors")
}

const STEP: &str = "step";

/// Writes tensors and the step that they belong to, atomically: a kill leaves the checkpoint before.
pub(super) fn write(path: &Path, step: u64, mut tensors: BTreeMap<String, Tensor>) -> Result<(), DiffusionError> {
    tensors.insert(STEP.to_owned(), Tensor::from(step as i64));
    write_tensors(path, &tensors, None)
}

/// A checkpoint that was read.
pub(super) struct Checkpoint {
    pub(super) step: u64,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// Reads a checkpoint of tensors of the names and shapes of `like`; `None` if there is none.
pub(super) fn read(
    path: &Path,
    device: Device,
    like: &BTreeMap<String, Tensor>,
) -> Result<Option<Checkpoint>, DiffusionError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut tensors = read_tensors(path, Kind::Float, device)?;
    let step = tensors.remove(STEP).ok_or_else(|| wrong(path, "it has no step".to_owned()))?;
    check(path, &tensors, like)?;
    Ok(Some(Checkpoint { step: step.int64_value(&[]) as u64, tensors }))
}

/// That both hold the same names and shapes: half a checkpoint must not be restored.
fn check(path: &Path, found: &BTreeMap<String, Tensor>, like: &BTreeMap<String, Tensor>) -> Result<(), DiffusionError> {
    let size = |tensors: &BTreeMap<String, Tensor>, name: &String| tensors.get(name).map(Tensor::size);
    match found.keys().chain(like.keys()).find(|name| size(found, name) != size(like, name)) {
        Some(name) => Err(wrong(path, format!("{name} is not as this worker has it"))),
        None => Ok(()),
    }
}

impl Checkpoint {
    /// Takes out the tensors under a prefix, without it.
    pub(super) fn take(&mut self, prefix: &str) -> BTreeMap<String, Tensor> {
        let rest = self.tensors.split_off(prefix);
        let (mut taken, mut others) = (BTreeMap::new(), std::mem::take(&mut self.tensors));
        for (name, tensor) in rest {
            match name.strip_prefix(prefix) {
                Some(short) => drop(taken.insert(short.to_owned(), tensor)),
                None => drop(others.insert(name, tensor)),
            }
        }
        self.tensors = others;
        taken
    }
}

/// Copies saved tensors into the places of the same names.
pub(super) fn restore(places: &[(String, Tensor)], saved: &BTreeMap<String, Tensor>) -> Result<(), DiffusionError> {
    for (name, place) in places {
        no_grad(|| place.shallow_clone().f_copy_(&saved[name]))?;
    }
    Ok(())
}

fn wrong(path: &Path, message: String) -> DiffusionError {
    DiffusionError::Config { what: path.display().to_string(), message }
}
