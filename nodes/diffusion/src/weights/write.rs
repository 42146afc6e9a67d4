//! Writing: sorted keys and at most one text entry, so that the bytes are a function of the tensors.

use crate::DiffusionError;
use safetensors::{Dtype, SafeTensorError, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, nn};

/// The one text entry that a header may have: the format's map is written in an order that varies from run to run, so
/// two entries would give equal tensors unequal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Entry<'static> {
    /// What transformers demands of a model file.
    pub const FORMAT_PT: Self = Self { name: "format", text: "pt" };
}

/// Writes all variables of a store under their names.
///
/// # Errors
/// As [`write_tensors`].
pub fn save_var_store(vs: &nn::VarStore, path: &Path) -> Result<(), DiffusionError> {
    let tensors: BTreeMap<_, _> = vs.variables().into_iter().collect();
    write_tensors(path, &tensors, Some(Entry::FORMAT_PT))
}

/// Writes tensors to a file, which is there whole or not at all.
///
/// # Errors
/// [`DiffusionError::Dtype`] for a type that the format lacks, [`DiffusionError::Io`] if the disk refuses.
pub fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    entry: Option<Entry<'_>>,
) -> Result<(), DiffusionError> {
    write_views(path, views(path, tensors)?, entry, || Ok(()))
}

/// Writes what views show, unless `check` says afterwards that they showed something wrong.
pub(super) fn write_views<V: View>(
    path: &Path,
    views: Vec<(String, V)>,
    entry: Option<Entry<'_>>,
    check: impl FnOnce() -> Result<(), DiffusionError>,
) -> Result<(), DiffusionError> {
    let io = |source| DiffusionError::Io { action: "write", path: path.to_owned(), source };
    let info = entry.map(|e| HashMap::from([(e.name.to_owned(), e.text.to_owned())]));
    let partial = partial_name(path);
    let written = safetensors::serialize_to_file(views, info, &partial).map_err(|e| io(into_io(e)));
    let published = written.and_then(|()| check()).and_then(|()| publish(&partial, path).map_err(io));
    published.inspect_err(|_| {
        // The error at hand says more than one about the left-over would.
        let _ = std::fs::remove_file(&partial);
    })
}

/// Beside `path`, so that the rename stays within one file system.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    name.into()
}

/// Makes a finished file durable under its name: contents first, then the name, then the directory that holds it.
fn publish(partial: &Path, path: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn into_io(error: SafeTensorError) -> std::io::Error {
    match error {
        SafeTensorError::IoError(error) => error,
        other => std::io::Error::other(other.to_string()),
    }
}

/// A tensor as the format wants to see it. Bytes are copied out one tensor at a time.
struct TensorBytes<'a> {
    tensor: &'a Tensor,
    dtype: Dtype,
    shape: Vec<usize>,
}

fn views<'a>(
    path: &Path,
    tensors: &'a BTreeMap<String, Tensor>,
) -> Result<Vec<(String, TensorBytes<'a>)>, DiffusionError> {
    tensors.iter().map(|(key, tensor)| Ok((key.clone(), TensorBytes::new(path, key, tensor)?))).collect()
}

impl<'a> TensorBytes<'a> {
    fn new(path: &Path, key: &str, tensor: &'a Tensor) -> Result<Self, DiffusionError> {
        let dtype = dtype_of(path, key, tensor.f_kind()?)?;
        let shape = tensor.size().iter().map(|&d| d as usize).collect();
        Ok(Self { tensor, dtype, shape })
    }
}

impl View for TensorBytes<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = bytes_of(self.tensor);
        bytes.expect("a tensor that is there can be copied").into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// The bytes of a tensor as the format has them.
pub(super) fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>, DiffusionError> {
    let tensor = tensor.detach().f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * tensor.f_kind()?.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

/// The format's name of a type, or the error that it has none.
pub(super) fn dtype_of(path: &Path, key: &str, kind: Kind) -> Result<Dtype, DiffusionError> {
    let unknown = || {
        let (path, key) = (path.to_owned(), key.to_owned());
        DiffusionError::Dtype { path, key, dtype: format!("{kind:?}") }
    };
    Ok(match kind {
        Kind::Bool => Dtype::BOOL,
        Kind::Uint8 => Dtype::U8,
        Kind::Int8 => Dtype::I8,
        Kind::Int16 => Dtype::I16,
        Kind::Int => Dtype::I32,
        Kind::Int64 => Dtype::I64,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Float => Dtype::F32,
        Kind::Double => Dtype::F64,
        _ => return Err(unknown()),
    })
}
