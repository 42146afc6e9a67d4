//! Filling a model: every key of a file has its place or a reason to have none, and every variable its key.

use super::{Part, Source, Weights};
use crate::error::{DiffusionError, KeyReport, ShapeMismatch};
use std::collections::BTreeMap;
use std::path::Path;
use tch::nn;

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
    let shapes = variables.iter().map(|(name, variable)| (name.clone(), variable.size())).collect();
    let places = weights.keys().filter_map(|key| Some((key, name_of(key)?, Part::Whole)));
    let mut report = KeyReport::default();
    let sources = assign(weights, places, &shapes, "", &mut report);
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: weights.path().to_owned(), report });
    }
    check_floating(weights, &sources)?;
    for (name, source) in &sources {
        weights.file(&source.key).read_into(&source.key, &variables[name])?;
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

/// What of `weights` each tensor of a model is made of: `places` say what a key, or a part of it, is called in the model,
/// and `shapes` what the model has. All differences go into `report`, names of the model with `label` before them.
pub(crate) fn assign<'a>(
    weights: &Weights,
    places: impl Iterator<Item = (&'a str, String, Part)>,
    shapes: &BTreeMap<String, Vec<i64>>,
    label: &str,
    report: &mut KeyReport,
) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    for (key, name, part) in places {
        let key = key.to_owned();
        match shapes.get(&name) {
            Some(shape) if !sources.contains_key(&name) => {
                sources.insert(name, Source { key, part, shape: shape.clone() });
            }
            _ => report.left_over.push(key),
        }
    }
    for (name, expected) in shapes {
        let Some(Source { key, part, .. }) = sources.get(name) else {
            report.missing.push(format!("{label}{name}"));
            continue;
        };
        let stored = weights.shape(key).unwrap_or_default();
        if !part.shape(&stored).is_some_and(|found| fits(&found, expected)) {
            let expected = expected.clone();
            report.shapes.push(ShapeMismatch { key: key.clone(), expected, found: stored });
        }
    }
    sources
}

/// That no tensor is one of whole numbers.
pub(crate) fn check_floating(weights: &Weights, sources: &BTreeMap<String, Source>) -> Result<(), DiffusionError> {
    sources.values().try_for_each(|source| weights.file(&source.key).check_floating(&source.key))
}

/// Whether the numbers of one shape are those of the other: equal, or a linear layer's weight as a 1×1 convolution.
fn fits(found: &[i64], expected: &[i64]) -> bool {
    found == expected || expected.len() == 2 && found.strip_prefix(expected) == Some(&[1, 1])
}
