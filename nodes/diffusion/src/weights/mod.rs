//! Weights in safetensors files: equal tensors give equal bytes, a file is whole or absent, and nothing is skipped.

mod read;
mod rows;
#[cfg(test)]
mod tests;
mod var_store;
mod write;

pub use read::WeightFile;
pub use rows::RowWriter;
pub use var_store::{load_var_store, save_var_store};
pub use write::{Entry, write_tensors};

use crate::DiffusionError;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Reads all tensors of a file, floating ones as `kind`.
///
/// # Errors
/// As [`WeightFile::open`] and [`WeightFile::tensor`].
pub fn read_tensors(path: &Path, kind: Kind, device: Device) -> Result<BTreeMap<String, Tensor>, DiffusionError> {
    let file = WeightFile::open(path)?;
    file.keys().map(|key| Ok((key.to_owned(), file.tensor(key, kind, device)?))).collect()
}
