//! The tensors of one model, in one file or in shards.

use super::WeightFile;
use super::foreign;
use super::header::Unique;
use crate::DiffusionError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// More than any index needs: a file of another kind must not fill the memory.
const MAX_INDEX: u64 = 100_000_000;

/// The tensors of one model, in one file or in shards with an index.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    files: Vec<WeightFile>,
    /// Which file has a key.
    keys: BTreeMap<String, usize>,
}

impl Weights {
    /// Opens a safetensors file, or the `….json` index of shards that lie beside it.
    ///
    /// # Errors
    /// [`DiffusionError::Index`] for an index that does not agree with its shards; otherwise as [`WeightFile::open`].
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        if path.extension().is_some_and(|e| e == "json") {
            return open_index(path);
        }
        let file = WeightFile::open(path)?;
        let keys = file.keys().map(|key| (key.to_owned(), 0)).collect();
        Ok(Self { path: path.to_owned(), files: vec![file], keys })
    }

    /// The file, or the index.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// The shape of a tensor, if there is one.
    pub fn shape(&self, key: &str) -> Option<Vec<i64>> {
        self.file(key).shape(key)
    }

    /// A text entry of a header: the first file's that has it.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.files.iter().find_map(|file| file.metadata().get(name)).map(String::as_str)
    }

    /// As [`WeightFile::tensor`].
    ///
    /// # Errors
    /// As [`WeightFile::tensor`].
    pub fn tensor(&self, key: &str, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        self.file(key).tensor(key, kind, device)
    }

    /// That every weight is a finite number; all are read for it.
    ///
    /// # Errors
    /// [`DiffusionError::NotFinite`] naming the first key where one is not; otherwise as [`WeightFile::tensor`].
    pub fn check_finite(&self) -> Result<(), DiffusionError> {
        self.keys().try_for_each(|key| self.file(key).check_finite(key))
    }

    /// The dtype that a tensor is stored in, and its scale if it has one.
    pub(crate) fn stored(&self, key: &str) -> Result<(String, Option<f32>), DiffusionError> {
        let (dtype, scale) = self.file(key).stored(key)?;
        Ok((dtype.to_string(), scale))
    }

    /// The file that has a key; for a key that none has, the first, which will say so.
    pub(super) fn file(&self, key: &str) -> &WeightFile {
        &self.files[self.keys.get(key).copied().unwrap_or(0)]
    }
}

/// The index that diffusers and transformers write. (`metadata.total_size` is not read: each shard's own header says
/// how long it must be.)
#[derive(Deserialize)]
struct Index {
    weight_map: Unique<String>,
}

fn open_index(path: &Path) -> Result<Weights, DiffusionError> {
    let wrong = |message: String| DiffusionError::Index { path: path.to_owned(), message };
    let Index { weight_map: Unique(map) } = read_index(path)?;
    let names: Vec<&str> = map.values().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    if names.is_empty() {
        return Err(wrong("it names no file".into()));
    }
    let outside: Vec<&str> = names.iter().copied().filter(|name| !is_plain(name)).collect();
    if !outside.is_empty() {
        return Err(wrong(format!("shards must lie beside it, and {} would not", outside.join(", "))));
    }
    if names.iter().any(|name| foreign::is_pickle_name(Path::new(name))) {
        return Err(foreign::pickle(path, &whole(path)));
    }
    let missing: Vec<&str> = names.iter().copied().filter(|name| !path.with_file_name(name).exists()).collect();
    if !missing.is_empty() {
        return Err(wrong(format!("{} of {} shards are missing: {}", missing.len(), names.len(), missing.join(", "))));
    }
    let files = names.iter().map(|name| WeightFile::open(&path.with_file_name(name))).collect::<Result<Vec<_>, _>>()?;
    let keys = agreed(&map, &names, &files).map_err(wrong)?;
    Ok(Weights { path: path.to_owned(), files, keys })
}

fn read_index(path: &Path) -> Result<Index, DiffusionError> {
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MAX_INDEX {
        return Err(io(std::io::Error::other(format!("{size} bytes are too long for an index"))));
    }
    let text = std::fs::read(path).map_err(io)?;
    serde_json::from_slice(&text).map_err(|e| DiffusionError::Index { path: path.to_owned(), message: e.to_string() })
}

/// A name of a file in the same folder.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// What the weights of an index would be called in one file.
fn whole(index: &Path) -> PathBuf {
    let name = index.file_name().unwrap_or_default().to_string_lossy().into_owned();
    index.with_file_name(name.split('.').next().unwrap_or_default()).with_extension("safetensors")
}

/// The number of the file that has each key, if index and files say the same.
fn agreed(
    map: &BTreeMap<String, String>,
    names: &[&str],
    files: &[WeightFile],
) -> Result<BTreeMap<String, usize>, String> {
    let mut found: BTreeMap<&str, Vec<usize>> = map.keys().map(|key| (key.as_str(), vec![])).collect();
    for (i, file) in files.iter().enumerate() {
        file.all_keys().for_each(|key| found.entry(key).or_default().push(i));
    }
    let differs = |(key, at): &(&&str, &Vec<usize>)| match at.as_slice() {
        [one] => map.get(**key).is_none_or(|name| name != names[*one]),
        _ => true,
    };
    let told = |(key, at): (&&str, &Vec<usize>)| {
        let said = map.get(*key).map_or("nowhere", String::as_str);
        let is = at.iter().map(|&i| names[i]).collect::<Vec<_>>().join(" and ");
        format!("{key} is in {} and should be in {said}", if is.is_empty() { "no shard" } else { &is })
    };
    let problems: Vec<String> = found.iter().filter(differs).map(told).collect();
    if !problems.is_empty() {
        return Err(format!("it does not agree with its shards: {}", problems.join("; ")));
    }
    let each = files.iter().enumerate();
    Ok(each.flat_map(|(i, file)| file.keys().map(move |key| (key.to_owned(), i))).collect())
}
