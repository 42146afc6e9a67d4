//! Reading: the header first, checked against the file's length, then tensor by tensor straight to where they belong.
//! Not by a memory map: a file that shrinks while it is mapped kills the process, and the bytes are read but once.

use super::eight::{Companions, Eight};
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
    companions: Companions,
}

impl WeightFile {
    /// Opens a file and checks its header: lengths, shapes and offsets must account for every byte.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], [`DiffusionError::NotSafetensors`], [`DiffusionError::Pickle`] or
    /// [`DiffusionError::Truncated`], [`DiffusionError::Trailing`].
    pub fn open(path: &Path) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
        // Asked before it is opened: opening a pipe waits for whoever writes to it.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(io(std::io::Error::other("not a file")));
        }
        let file = File::open(path).map_err(io)?;
        let header = Header::read(path, &file)?;
        let companions = Companions::of(&header.tensors);
        Ok(Self { path: path.to_owned(), file, header, companions })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, sorted, without those that say how a tensor of eight bits is to be read.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.all_keys().filter(|key| !self.companions.all.contains(*key))
    }

    /// The keys that the header has, sorted.
    pub(super) fn all_keys(&self) -> impl Iterator<Item = &str> {
        self.header.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, key: &str) -> Option<Vec<i64>> {
        self.header.tensors.get(key).map(shape)
    }

    /// The type of a tensor as it is read, if the file has it and it is one that is read here: one of eight bits is bfloat16, or
    /// float32 if it has a scale.
    pub fn dtype(&self, key: &str) -> Option<Kind> {
        self.header.tensors.get(key).and_then(|info| kind_of(self.wide(key, info)))
    }

    /// The text entries of the header.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// Reads one tensor. A floating one is converted to `kind`, one of eight bits after it is multiplied by its scale; whole
    /// numbers and flags stay what they are.
    ///
    /// # Errors
    /// [`DiffusionError::Keys`] if there is no such key, [`DiffusionError::Dtype`] for a type that is not supported,
    /// [`DiffusionError::Config`] for a scale that is not one number, [`DiffusionError::Io`] if the file changed since it was
    /// opened.
    pub fn tensor(&self, key: &str, kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let info = self.info(key)?;
        let stored = self.kind(key, info)?;
        decode(&self.elements(key, once(0..count(info)))?, &shape(info), stored, kind, device)
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
        let (dtype, count) = self.given(key)?;
        self.finite(key, &self.elements(key, once(0..count))?, dtype)
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
        let rows = info.shape.first().copied().unwrap_or(0);
        let no_row = |index| DiffusionError::Row { path: self.path.clone(), key: key.to_owned(), index, count: rows };
        let row = |&index: &i64| usize::try_from(index).ok().filter(|&i| i < rows).ok_or_else(|| no_row(index));
        let indices = indices.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let width = count(info).checked_div(rows).unwrap_or(0);
        let runs = indices.chunk_by(|a, b| a + 1 == *b);
        let parts = runs.map(|run| run[0] * width..(run[0] + run.len()) * width);
        let shape: Vec<i64> = [indices.len() as i64].into_iter().chain(shape(info).into_iter().skip(1)).collect();
        decode(&self.elements(key, parts)?, &shape, stored, kind, device)
    }

    /// Reads one tensor into another of its shape, floating both, without holding a second of its size.
    pub(super) fn read_into(&self, key: &str, tensor: &Tensor) -> Result<(), DiffusionError> {
        let info = self.info(key)?;
        let stored = self.kind(key, info)?;
        let flat = tensor.f_view(-1)?;
        let (count, at_once) = (count(info), CHUNK / stored.elt_size_in_bytes());
        for from in (0..count).step_by(at_once) {
            let to = count.min(from + at_once);
            let length = (to - from) as i64;
            let values = Tensor::f_from_data_size(&self.elements(key, once(from..to))?, &[length], stored)?;
            no_grad(|| flat.f_narrow(0, from as i64, length)?.f_copy_(&values))?;
        }
        Ok(())
    }

    /// That a tensor can stand for a model's variable.
    pub(super) fn check_floating(&self, key: &str) -> Result<(), DiffusionError> {
        let info = self.info(key)?;
        let floating = matches!(self.wide(key, info), Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64);
        if floating { self.scale(key).map(drop) } else { Err(self.unsupported(key, info.dtype)) }
    }

    /// The dtype that a tensor is stored in, and the number that it is multiplied by as it is read.
    pub(super) fn stored(&self, key: &str) -> Result<(Dtype, Option<f32>), DiffusionError> {
        Ok((self.info(key)?.dtype, self.scale(key)?))
    }

    /// What bytes of a tensor are read as: its dtype, and how many numbers it has.
    pub(super) fn given(&self, key: &str) -> Result<(Dtype, usize), DiffusionError> {
        let info = self.info(key)?;
        Ok((self.wide(key, info), count(info)))
    }

    /// Bytes of numbers of a tensor, those in `parts` one part after the other, in the dtype that it is given in.
    pub(super) fn elements(
        &self,
        key: &str,
        parts: impl Iterator<Item = Range<usize>> + Clone,
    ) -> Result<Vec<u8>, DiffusionError> {
        let info = self.info(key)?;
        let (start, size) = (info.data_offsets.0, info.dtype.bitsize() / 8);
        let bytes = self.bytes(parts.map(|part| start + part.start * size..start + part.end * size))?;
        match Eight::of(info.dtype) {
            Some(eight) => Ok(eight.widened(&bytes, self.scale(key)?)),
            None => Ok(bytes),
        }
    }

    /// The dtype that a tensor is read as.
    fn wide(&self, key: &str, info: &TensorInfo) -> Dtype {
        let scaled = self.companions.scales.contains_key(key);
        Eight::of(info.dtype).map_or(info.dtype, |_| Eight::wide(scaled))
    }

    /// The scale of a tensor of eight bits that has one.
    fn scale(&self, key: &str) -> Result<Option<f32>, DiffusionError> {
        let Some(name) = self.companions.scales.get(key) else { return Ok(None) };
        let wrong = |is: String| DiffusionError::Config {
            what: self.path.display().to_string(),
            message: format!("{name} {is}: a tensor of eight bits is read by one number"),
        };
        if count(self.info(name)?) != 1 {
            return Err(wrong(format!("has the shape {:?}", self.info(name)?.shape)));
        }
        let scale = self.tensor(name, Kind::Float, Device::Cpu)?;
        if scale.is_floating_point() { Ok(Some(scale.double_value(&[]) as f32)) } else { Err(wrong("is whole".into())) }
    }

    fn info(&self, key: &str) -> Result<&TensorInfo, DiffusionError> {
        let report = || crate::KeyReport { missing: vec![key.to_owned()], ..Default::default() };
        let error = || DiffusionError::Keys { path: self.path.clone(), report: report() };
        self.header.tensors.get(key).ok_or_else(error)
    }

    fn kind(&self, key: &str, info: &TensorInfo) -> Result<Kind, DiffusionError> {
        kind_of(self.wide(key, info)).ok_or_else(|| self.unsupported(key, info.dtype))
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

fn count(info: &TensorInfo) -> usize {
    info.shape.iter().product()
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
