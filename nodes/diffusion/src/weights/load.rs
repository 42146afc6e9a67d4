//! Filling a model: every key of a file has its place or a reason to have none, and every variable its key.

use super::Weights;
use crate::error::{DiffusionError, KeyReport, ShapeMismatch};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tch::{Tensor, nn};

/// Fills all variables of a store. `name_of` says what a key of the file is called in the model; `None` is for keys that
/// are known to be of no use to it.
///
/// Dtype and device stay those of the store. Each tensor is read straight into its variable. A linear layer may be
/// filled from a 1×1 convolution, which older files have in places.
///
/// # Errors
/// [`DiffusionError::Keys`] listing every key that is missing, left over (also: a second key of one name) or of another
/// shape, [`DiffusionError::Dtype`] for a tensor of whole numbers; then nothing has been changed. Otherwise as
/// [`Weights`].
pub fn load_pretrained(
    vs: &nn::VarStore,
    weights: &Weights,
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<(), DiffusionError> {
    let variables = vs.variables();
    let keys = check_pretrained(&variables, weights, name_of)?;
    for (name, key) in &keys {
        weights.file(key).read_into(key, &variables[name])?;
    }
    Ok(())
}

/// Fills all variables of a store from the keys of a file that begin with `prefix` (which is cut off; "" takes all).
/// Keys outside `prefix` belong to another model and are not looked at.
///
/// # Errors
/// As [`load_pretrained`].
pub fn load_var_store(vs: &nn::VarStore, path: &Path, prefix: &str) -> Result<(), DiffusionError> {
    load_pretrained(vs, &Weights::open(path)?, |key| key.strip_prefix(prefix).map(str::to_owned))
}

/// The key that fills each variable, if there is one for each and none is left over.
fn check_pretrained<'a>(
    variables: &HashMap<String, Tensor>,
    weights: &'a Weights,
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, &'a str>, DiffusionError> {
    let mut report = KeyReport::default();
    let mut keys: BTreeMap<String, &str> = BTreeMap::new();
    for (key, name) in weights.keys().filter_map(|key| Some((key, name_of(key)?))) {
        if !variables.contains_key(&name) || keys.contains_key(&name) {
            report.left_over.push(key.to_owned());
        } else {
            keys.insert(name, key);
        }
    }
    for (name, variable) in variables.iter().collect::<BTreeMap<_, _>>() {
        let expected = variable.size();
        match keys.get(name).and_then(|key| Some((*key, weights.shape(key)?))) {
            None => report.missing.push(name.clone()),
            Some((key, found)) if !fits(&found, &expected) => {
                report.shapes.push(ShapeMismatch { key: key.to_owned(), expected, found });
            }
            Some(_) => {}
        }
    }
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: weights.path().to_owned(), report });
    }
    keys.values().try_for_each(|key| weights.file(key).check_floating(key))?;
    Ok(keys)
}

/// Whether the numbers of one shape are those of the other: equal, or a linear layer's weight as a 1×1 convolution.
fn fits(found: &[i64], expected: &[i64]) -> bool {
    found == expected || expected.len() == 2 && found.strip_prefix(expected) == Some(&[1, 1])
}
