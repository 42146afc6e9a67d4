//! Reading: the header first, checked against the file's length, then tensor by tensor straight to where they belong.
//! Not by a memory map: a file that shrinks while it is mapped kills the process, and the bytes are read but once.

use super::finite::not_finite;
use super::header::Header;
use crate::DiffusionError;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use std::collections::BTreeMap;
use std::fs::File;
use std::iter::once;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, no_grad};

/// Bytes read at once into a tensor that is there already.
const CHUNK: usize = 16 << 20;

/// A safetensors file whose header has been read and checked.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    file: File,
    header: Header,
}

impl WeightFile {
    /// Opens a file and checks its header: lengths, shapes and offsets must account for every byte.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], [`DiffusionError::NotSafetensors`], [`DiffusionError::Pickle`] or
    /// [`DiffusionError::Truncated`].
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
        // Asked before it is opened: opening a pipe waits for whoever writes to it.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(io(std::io::Error::other("not a file")));
        }
        let file = File::open(path).map_err(io)?;
        let header = Header::read(path, &file)?;
        Ok(Self { path: path.to_owned(), file, header })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.header.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, key: &str) -> Option<Vec<i64>> {
        self.header.tensors.get(key).map(shape)
    }

    /// The type of a tensor, if the file has it and it is one that is read here.
    pub fn dtype(&self, key: &str) -> Option<Kind> {
        self.header.tensors.get(key).and_then(|info| kind_of(info.dtype))
    }

    /// The text entries of the header.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// Reads one tensor. A floating one is converted to `kind`; whole numbers and flags stay what they are.
    ///
    /// # Errors
    /// [`DiffusionError::Keys`] if there is no such key, [`DiffusionError::Dtype`] for a type that is not supported,
    /// [`DiffusionError::Io`] if the file changed since it was opened.
    pub fn tensor(&self, key: &str, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let info = self.info(key)?;
        let stored = self.kind(key, info)?;
        let (start, end) = info.data_offsets;
        decode(&self.bytes(once(start..end))?, &shape(info), stored, kind, device)
    }

    /// Reads one floating tensor, as [`tensor`](Self::tensor).
    ///
    /// # Errors
    /// [`DiffusionError::Dtype`] for whole numbers; otherwise as [`tensor`](Self::tensor).
    pub(crate) fn weight(&self, key: &str, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        self.check_floating(key)?;
        self.tensor(key, kind, device)
    }

    /// Reads one floating tensor as fp32, if all of it are finite numbers.
    ///
    /// # Errors
    /// [`DiffusionError::NotFinite`]; otherwise as [`weight`](Self::weight).
    pub(crate) fn finite_weight(&self, key: &str, device: Device) -> Result<Tensor, DiffusionError> {
        self.check_finite(key)?;
        self.weight(key, Kind::Float, device)
    }

    /// That a tensor, if it is a floating one, holds finite numbers.
    pub(super) fn check_finite(&self, key: &str) -> Result<(), DiffusionError> {
        let info = self.info(key)?;
        let (start, end) = info.data_offsets;
        self.finite(key, &self.bytes(once(start..end))?, info.dtype)
    }

    /// That bytes of a tensor are finite numbers.
    pub(super) fn finite(&self, key: &str, bytes: &[u8], dtype: Dtype) -> Result<(), DiffusionError> {
        let error = |what| DiffusionError::NotFinite { path: self.path.clone(), key: key.to_owned(), what };
        not_finite(bytes, dtype).map_or(Ok(()), |what| Err(error(what)))
    }

    /// Reads rows of one tensor, in the order of `indices` into its first dimension, as [`tensor`](Self::tensor) would:
    /// (rows, …). Of the file only these rows are read, neighbours together.
    ///
    /// # Errors
    /// [`DiffusionError::Row`] for an index that is not in the first dimension; otherwise as [`tensor`](Self::tensor).
    pub fn rows(&self, key: &str, indices: &[i64], kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let info = self.info(key)?;
        let stored = self.kind(key, info)?;
        let count = info.shape.first().copied().unwrap_or(0);
        let no_row = |index| DiffusionError::Row { path: self.path.clone(), key: key.to_owned(), index, count };
        let row = |&index: &i64| usize::try_from(index).ok().filter(|&i| i < count).ok_or_else(|| no_row(index));
        let indices = indices.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let (start, end) = info.data_offsets;
        let width = (end - start).checked_div(count).unwrap_or(0);
        let runs = indices.chunk_by(|a, b| a + 1 == *b);
        let parts = runs.map(|run| start + run[0] * width..start + (run[0] + run.len()) * width);
        let shape: Vec<i64> = [indices.len() as i64].into_iter().chain(shape(info).into_iter().skip(1)).collect();
        decode(&self.bytes(parts)?, &shape, stored, kind, device)
    }

    /// Reads one tensor into another of its shape, floating both, without holding a second of its size.
    pub(super) fn read_into(&self, key: &str, tensor: &Tensor) -> Result<(), DiffusionError> {
        let info = self.info(key)?;
        let stored = self.kind(key, info)?;
        let flat = tensor.f_view(-1)?;
        let (start, end) = info.data_offsets;
        let size = stored.elt_size_in_bytes();
        for from in (start..end).step_by(CHUNK) {
            let bytes = self.bytes(once(from..end.min(from + CHUNK)))?;
            let (at, length) = (((from - start) / size) as i64, (bytes.len() / size) as i64);
            let values = Tensor::f_from_data_size(&bytes, &[length], stored)?;
            no_grad(|| flat.f_narrow(0, at, length)?.f_copy_(&values))?;
        }
        Ok(())
    }

    /// That a tensor can stand for a model's variable.
    pub(super) fn check_floating(&self, key: &str) -> Result<(), DiffusionError> {
        let info = self.info(key)?;
        let floating = matches!(info.dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
        if floating { Ok(()) } else { Err(self.unsupported(key, info.dtype)) }
    }

    /// How a tensor is stored: its dtype and shape.
    pub(super) fn stored(&self, key: &str) -> Result<(Dtype, &[usize]), DiffusionError> {
        let info = self.info(key)?;
        Ok((info.dtype, &info.shape))
    }

    /// Bytes of a tensor as they are stored.
    pub(super) fn bytes_of(&self, key: &str, range: Range<usize>) -> Result<Vec<u8>, DiffusionError> {
        let start = self.info(key)?.data_offsets.0;
        self.bytes(once(start + range.start..start + range.end))
    }

    fn info(&self, key: &str) -> Result<&TensorInfo, DiffusionError> {
        let report = || crate::KeyReport { missing: vec![key.to_owned()], ..Default::default() };
        let error = || DiffusionError::Keys { path: self.path.clone(), report: report() };
        self.header.tensors.get(key).ok_or_else(error)
    }

    fn kind(&self, key: &str, info: &TensorInfo) -> Result<Kind, DiffusionError> {
        kind_of(info.dtype).ok_or_else(|| self.unsupported(key, info.dtype))
    }

    fn unsupported(&self, key: &str, dtype: Dtype) -> DiffusionError {
        DiffusionError::Dtype { path: self.path.clone(), key: key.to_owned(), dtype: dtype.to_string() }
    }

    /// Parts of the data, one after the other. Leaves no file position behind, so threads may share the file.
    fn bytes(&self, parts: impl Iterator<Item = Range<usize>> + Clone) -> Result<Vec<u8>, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: self.path.clone(), source };
        let mut bytes = Vec::new();
        // A file may be sparse and promise more than the memory holds.
        bytes
            .try_reserve_exact(parts.clone().map(|part| part.len()).sum())
            .map_err(|e| io(std::io::Error::other(e)))?;
        for part in parts {
            let filled = bytes.len();
            bytes.resize(filled + part.len(), 0);
            let at = self.header.data_start + part.start as u64;
            self.file.read_exact_at(&mut bytes[filled..], at).map_err(io)?;
        }
        Ok(bytes)
    }
}

/// Reads all tensors of a file, floating ones as `kind`.
///
/// # Errors
/// As [`WeightFile::open`] and [`WeightFile::tensor`].
pub fn read_tensors(path: &Path, kind: Kind, device: Device) -> Result<BTreeMap<String, Tensor>, DiffusionError> {
    let file = WeightFile::open(path)?;
    file.keys().map(|key| Ok((key.to_owned(), file.tensor(key, kind, device)?))).collect()
}

fn decode(bytes: &[u8], shape: &[i64], stored: Kind, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
    let tensor = Tensor::f_from_data_size(bytes, shape, stored)?;
    let kind = if tensor.is_floating_point() { kind } else { stored };
    Ok(tensor.f_to_device(device)?.f_to_kind(kind)?)
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
