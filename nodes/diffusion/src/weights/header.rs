//! The header of a safetensors file, believed only as far as the file's length bears it out.

use crate::DiffusionError;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::foreign;

/// The format's own bound on the header.
const MAX_HEADER: u64 = 100_000_000;
const LENGTH_BYTES: u64 = 8;

/// What a header says, checked: lengths, shapes and offsets account for every byte of the file.
#[derive(Debug)]
pub(super) struct Header {
    /// Where the tensors begin.
    pub(super) data_start: u64,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Header {
    /// Reads it. Where there is none, the error says what the file is instead, if that can be told.
    pub(super) fn read(path: &Path, file: &std::fs::File) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
        let size = file.metadata().map_err(io)?.len();
        let mut start = vec![0; size.min(foreign::START) as usize];
        file.read_exact_at(&mut start, 0).map_err(io)?;
        let foreign = |error| foreign::recognise(path, &start).unwrap_or(error);
        let length = length(path, &start, size).map_err(foreign)?;
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, LENGTH_BYTES).map_err(io)?;
        let json: Json = serde_json::from_slice(&bytes).map_err(|e| foreign(not_safetensors(path, e)))?;
        json.check(path, LENGTH_BYTES + length, size)
    }
}

/// The header's length, which must lie within the file: a hostile one must not decide how much memory is taken.
fn length(path: &Path, start: &[u8], size: u64) -> Result<u64, DiffusionError> {
    let length = start.first_chunk().ok_or_else(|| not_safetensors(path, "shorter than a header"))?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(not_safetensors(path, format!("a header of {length} bytes")));
    }
    let expected = LENGTH_BYTES + length;
    if expected > size {
        return Err(DiffusionError::Truncated { path: path.to_owned(), expected, found: size });
    }
    Ok(length)
}

fn not_safetensors(path: &Path, reason: impl ToString) -> DiffusionError {
    DiffusionError::NotSafetensors { path: path.to_owned(), reason: reason.to_string() }
}

/// The header's text, not yet checked. (`Metadata` could be parsed at once, but takes the last of equal keys unsaid.)
struct Json {
    tensors: Vec<(String, TensorInfo)>,
    metadata: BTreeMap<String, String>,
}

impl Json {
    fn check(mut self, path: &Path, data_start: u64, size: u64) -> Result<Header, DiffusionError> {
        self.tensors.sort_by_key(|(_, info)| info.data_offsets);
        if let Some((key, info)) = self.tensors.iter().find(|(_, info)| !is_countable(&info.shape)) {
            return Err(not_safetensors(path, format!("{key} has the shape {:?}", info.shape)));
        }
        let tensors = self.tensors.iter().cloned().collect();
        let checked = Metadata::new(None::<HashMap<_, _>>, self.tensors).map_err(|e| not_safetensors(path, e))?;
        let expected = data_start.saturating_add(checked.data_len() as u64);
        match expected.cmp(&size) {
            Ordering::Less => Err(DiffusionError::Trailing { path: path.to_owned(), expected, extra: size - expected }),
            Ordering::Greater => Err(DiffusionError::Truncated { path: path.to_owned(), expected, found: size }),
            Ordering::Equal => Ok(Header { data_start, tensors, metadata: self.metadata }),
        }
    }
}

/// Whether libtorch can count the elements and every stride, also of a shape that has a 0.
fn is_countable(shape: &[usize]) -> bool {
    let product = shape.iter().try_fold(1i64, |all, &d| all.checked_mul(i64::try_from(d.max(1)).ok()?));
    product.is_some_and(|elements| elements <= i64::MAX / 8)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let (mut tensors, mut metadata) = (BTreeMap::new(), None);
                while let Some(key) = map.next_key::<String>()? {
                    if key == "__metadata__" {
                        let Unique(texts) = map.next_value()?;
                        once(metadata.replace(texts), &key)?;
                    } else {
                        once(tensors.insert(key.clone(), map.next_value()?), &key)?;
                    }
                }
                Ok(Json { tensors: tensors.into_iter().collect(), metadata: metadata.unwrap_or_default() })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A JSON map that has no key twice.
pub(super) struct Unique<V>(pub(super) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Unique<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<V>, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, V>()? {
                    once(all.insert(key.clone(), value), &key)?;
                }
                Ok(Unique(all))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

fn once<V, E: Error>(before: Option<V>, key: &str) -> Result<(), E> {
    before.map_or(Ok(()), |_| Err(E::custom(format_args!("the key {key} is there twice"))))
}
