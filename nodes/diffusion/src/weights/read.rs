//! Reading: the header first, checked against the file's length, then tensor by tensor, so that memory holds one raw
//! tensor beside the model. (A memory map would need `unsafe` and dies with the process when the file shrinks.)

use crate::DiffusionError;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// The format's own bound on the header.
const MAX_HEADER: u64 = 100_000_000;
const LENGTH_BYTES: u64 = 8;

/// A safetensors file whose header has been read and checked.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    file: File,
    data_start: u64,
    tensors: BTreeMap<String, TensorInfo>,
    metadata: BTreeMap<String, String>,
}

impl WeightFile {
    /// Opens a file and checks its header: lengths, shapes and offsets must account for every byte.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], [`DiffusionError::NotSafetensors`] or [`DiffusionError::Truncated`].
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let header_len = header_length(path, &mut file, size)?;
        let mut header = vec![0; usize::try_from(header_len).unwrap_or(usize::MAX)];
        file.read_exact(&mut header).map_err(io)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| not_safetensors(path, e))?;
        let data_start = LENGTH_BYTES + header_len;
        let expected = data_start + metadata.data_len() as u64;
        if expected != size {
            return Err(DiffusionError::Truncated { path: path.to_owned(), expected, found: size });
        }
        let tensors = metadata.tensors().into_iter().map(|(key, info)| (key, info.clone())).collect();
        let metadata = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path: path.to_owned(), file, data_start, tensors, metadata })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, key: &str) -> Option<Vec<i64>> {
        self.tensors.get(key).map(shape)
    }

    /// The type of a tensor, if the file has it and it is one that is read here.
    pub fn dtype(&self, key: &str) -> Option<Kind> {
        self.tensors.get(key).and_then(|info| kind_of(info.dtype))
    }

    /// The text entries of the header.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Reads one tensor. A floating one is converted to `kind`; whole numbers and flags stay what they are.
    ///
    /// # Errors
    /// [`DiffusionError::Keys`] if there is no such key, [`DiffusionError::Dtype`] for a type that is not supported,
    /// [`DiffusionError::Io`] if the file changed since it was opened.
    pub fn tensor(&self, key: &str, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let info = self.info(key)?;
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        self.read_at(&mut bytes, start)?;
        self.decode(key, info, &bytes, &shape(info), kind, device)
    }

    /// Reads rows of one tensor, in the order of `indices` into its first dimension, as [`tensor`](Self::tensor) would:
    /// (rows, …). Of the file only these rows are read, neighbours together.
    ///
    /// # Errors
    /// [`DiffusionError::Row`] for an index that is not in the first dimension; otherwise as [`tensor`](Self::tensor).
    pub fn rows(&self, key: &str, indices: &[i64], kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let info = self.info(key)?;
        let count = info.shape.first().copied().unwrap_or(0);
        let no_row = |index| DiffusionError::Row { path: self.path.clone(), key: key.to_owned(), index, count };
        let row = |&index: &i64| usize::try_from(index).ok().filter(|&i| i < count).ok_or_else(|| no_row(index));
        let indices = indices.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let (start, end) = info.data_offsets;
        let width = (end - start).checked_div(count).unwrap_or(0);
        let mut bytes = vec![0; indices.len() * width];
        let mut rest = bytes.as_mut_slice();
        for run in indices.chunk_by(|a, b| a + 1 == *b) {
            let (head, tail) = rest.split_at_mut(run.len() * width);
            self.read_at(head, start + run[0] * width)?;
            rest = tail;
        }
        let shape: Vec<i64> = [indices.len() as i64].into_iter().chain(shape(info).into_iter().skip(1)).collect();
        self.decode(key, info, &bytes, &shape, kind, device)
    }

    fn info(&self, key: &str) -> Result<&TensorInfo, DiffusionError> {
        self.tensors.get(key).ok_or_else(|| self.no_such(key))
    }

    /// Fills `bytes` from an offset into the data. Leaves no file position behind, so threads may share the file.
    fn read_at(&self, bytes: &mut [u8], offset: usize) -> Result<(), DiffusionError> {
        self.file.read_exact_at(bytes, self.data_start + offset as u64).map_err(|source| DiffusionError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    fn decode(
        &self,
        key: &str,
        info: &TensorInfo,
        bytes: &[u8],
        shape: &[i64],
        kind: Kind,
        device: Device,
    ) -> Result<Tensor, DiffusionError> {
        let stored = kind_of(info.dtype).ok_or_else(|| self.unsupported(key, info.dtype))?;
        let tensor = Tensor::f_from_data_size(bytes, shape, stored)?;
        let kind = if tensor.is_floating_point() { kind } else { stored };
        Ok(tensor.f_to_device(device)?.f_to_kind(kind)?)
    }

    fn no_such(&self, key: &str) -> DiffusionError {
        let report = crate::KeyReport { missing: vec![key.to_owned()], ..Default::default() };
        DiffusionError::Keys { path: self.path.clone(), report }
    }

    fn unsupported(&self, key: &str, dtype: Dtype) -> DiffusionError {
        DiffusionError::Dtype { path: self.path.clone(), key: key.to_owned(), dtype: dtype.to_string() }
    }
}

/// The header's length, which must lie within the file: a hostile one must not decide how much memory is taken.
fn header_length(path: &Path, file: &mut File, size: u64) -> Result<u64, DiffusionError> {
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length).map_err(|_| not_safetensors(path, "shorter than a header"))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(not_safetensors(path, format!("a header of {length} bytes")));
    }
    if LENGTH_BYTES + length > size {
        return Err(DiffusionError::Truncated { path: path.to_owned(), expected: LENGTH_BYTES + length, found: size });
    }
    Ok(length)
}

fn not_safetensors(path: &Path, reason: impl ToString) -> DiffusionError {
    DiffusionError::NotSafetensors { path: path.to_owned(), reason: reason.to_string() }
}

fn shape(info: &TensorInfo) -> Vec<i64> {
    info.shape.iter().map(|&d| d as i64).collect()
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        _ => return None,
    })
}
