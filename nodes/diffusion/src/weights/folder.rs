//! The weights of a model as folders have them: one file, or shards with an index; each perhaps as a variant.

use super::{Weights, foreign};
use crate::DiffusionError;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Opens the weights named `stem` in a folder, as diffusers and transformers name them: `stem.safetensors` or
/// `stem.safetensors.index.json`; with the variant fp16 `stem.fp16.safetensors`, `stem.safetensors.index.fp16.json` and
/// older ways to say so.
///
/// # Errors
/// [`DiffusionError::Pickle`] if there are only pickles, [`DiffusionError::Io`] naming what else there is,
/// [`DiffusionError::Index`] if file and index are both there; otherwise as [`Weights::open`].
pub fn find_weights(folder: &Path, stem: &str, variant: Option<&str>) -> Result<Weights, DiffusionError> {
    let paths = paths(folder, stem, variant);
    let there: Vec<&PathBuf> = paths.iter().filter(|path| path.exists()).collect();
    match there.as_slice() {
        [] => Err(absent(folder, stem, &paths[0])),
        [one] => Weights::open(one),
        [one, other, ..] => Err(DiffusionError::Index {
            path: (*other).clone(),
            message: format!("{} is there, too: remove the one that is not meant", one.display()),
        }),
    }
}

/// Whether a folder has weights named `stem` in this variant.
pub fn has_weights(folder: &Path, stem: &str, variant: Option<&str>) -> bool {
    paths(folder, stem, variant).iter().any(|path| path.exists())
}

/// Where the weights may lie; the first is where a single file does.
fn paths(folder: &Path, stem: &str, variant: Option<&str>) -> Vec<PathBuf> {
    let names = match variant {
        None => vec![format!("{stem}.safetensors"), format!("{stem}.safetensors.index.json")],
        Some(v) => vec![
            format!("{stem}.{v}.safetensors"),
            format!("{stem}.safetensors.index.{v}.json"),
            format!("{stem}.safetensors.{v}.index.json"),
            format!("{stem}.{v}.safetensors.index.json"),
        ],
    };
    names.iter().map(|name| folder.join(name)).collect()
}

/// Why there are no weights: what lies in the folder instead.
fn absent(folder: &Path, stem: &str, expected: &Path) -> DiffusionError {
    let io = |source| DiffusionError::Io { action: "read", path: expected.to_owned(), source };
    let entries = match folder.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return io(error),
    };
    let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let others: Vec<String> = paths.iter().map(name).filter(|name| is_other(name, stem)).collect();
    if !others.is_empty() {
        let message = format!("there is only {}: choose the `variant`", others.join(", "));
        return io(Error::new(ErrorKind::NotFound, message));
    }
    let pickles: Vec<&PathBuf> = paths.iter().filter(|path| is_pickled(&name(path), stem)).collect();
    let index = pickles.iter().find(|path| path.extension().is_some_and(|e| e == "json"));
    match index.or(pickles.first()) {
        Some(pickle) => foreign::pickle(pickle, expected),
        None => io(Error::from(ErrorKind::NotFound)),
    }
}

/// Whether a file name is that of these weights, or of their index, as a pickle.
fn is_pickled(name: &str, stem: &str) -> bool {
    let own = name.starts_with(stem) || name.starts_with("pytorch_model");
    own && (foreign::is_pickle_name(Path::new(name)) || name.contains(".bin.index."))
}

/// Whether a file name is one of these weights in another variant.
fn is_other(name: &str, stem: &str) -> bool {
    let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| rest.ends_with("safetensors") || rest.contains("safetensors") && rest.ends_with(".json"))
}
