//! A model's variables to and from a file. (`VarStore::load` is not used: it silently takes the file's dtype.)

use super::{Entry, WeightFile, write_tensors};
use crate::error::{DiffusionError, KeyReport, ShapeMismatch};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use tch::{Tensor, nn, no_grad};

/// Writes all variables of a store under their names.
///
/// # Errors
/// As [`write_tensors`].
pub fn save_var_store(vs: &nn::VarStore, path: &Path) -> Result<(), DiffusionError> {
    let tensors: BTreeMap<_, _> = vs.variables().into_iter().collect();
    write_tensors(path, &tensors, Some(Entry::FORMAT_PT))
}

/// Fills all variables of a store from the keys of a file that begin with `prefix` (which is cut off; "" takes all).
///
/// Dtype and device stay those of the store. Keys outside `prefix` belong to another model and are not looked at.
///
/// # Errors
/// [`DiffusionError::Keys`] listing every key that is missing, left over or of another shape; then nothing has been
/// changed. Otherwise as [`WeightFile`].
pub fn load_var_store(vs: &nn::VarStore, path: &Path, prefix: &str) -> Result<(), DiffusionError> {
    let file = WeightFile::open(path)?;
    let variables = vs.variables();
    let report = compare(&variables, &file, prefix);
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: path.to_owned(), report });
    }
    for (name, mut variable) in variables {
        let tensor = file.tensor(&format!("{prefix}{name}"), variable.kind(), variable.device())?;
        no_grad(|| variable.f_copy_(&tensor))?;
    }
    Ok(())
}

fn compare(variables: &HashMap<String, Tensor>, file: &WeightFile, prefix: &str) -> KeyReport {
    let wanted: BTreeSet<String> = variables.keys().map(|name| format!("{prefix}{name}")).collect();
    let found: BTreeSet<&str> = file.keys().filter(|key| key.starts_with(prefix)).collect();
    let missing = wanted.iter().filter(|key| !found.contains(key.as_str())).cloned().collect();
    let left_over = found.iter().filter(|key| !wanted.contains(**key)).map(|key| (*key).to_owned()).collect();
    let shapes = variables.iter().filter_map(|(name, variable)| mismatch(file, format!("{prefix}{name}"), variable));
    let mut shapes: Vec<_> = shapes.collect();
    shapes.sort_by(|a, b| a.key.cmp(&b.key));
    KeyReport { missing, left_over, shapes }
}

fn mismatch(file: &WeightFile, key: String, variable: &Tensor) -> Option<ShapeMismatch> {
    let (found, expected) = (file.shape(&key)?, variable.size());
    (found != expected).then_some(ShapeMismatch { key, expected, found })
}
