//! Writing: sorted keys and at most one text entry, so that the bytes are a function of the tensors.

use crate::DiffusionError;
use safetensors::{Dtype, SafeTensorError, View, serialize_to_file};
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
    let file = partial.join("tensors");
    let written =
        make_folder(&partial).and_then(|()| serialize_to_file(views, info, &file).map_err(into_io)).map_err(io);
    let published = written.and_then(|()| check()).and_then(|()| publish(&file, path).map_err(io));
    // An error at hand says more than one about the left-over would.
    let _ = std::fs::remove_dir_all(&partial);
    published
}

/// What comes between a file's name and its writer's number while it is written.
const PARTIAL: &str = ".partial-";

/// A folder beside `path`, so that the rename stays within one file system. A folder, because safetensors itself writes to a
/// file of a random name first: a kill leaves everything where it can be found.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{PARTIAL}{}", std::process::id()));
    name.into()
}

/// Makes a folder, unless a killed process of the same number left it.
fn make_folder(path: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Removes what writers of a file that were killed at it left beside it. Nobody may be writing it.
///
/// # Errors
/// [`DiffusionError::Io`] if the folder cannot be read or the disk refuses.
pub fn remove_partials(path: &Path) -> Result<(), DiffusionError> {
    let prefix =
        path.file_name().map(|name| [name.as_encoded_bytes(), PARTIAL.as_bytes()].concat()).unwrap_or_default();
    let folder = folder_of(path);
    let remove = || {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(&prefix) {
                match entry.file_type()?.is_dir() {
                    true => std::fs::remove_dir_all(entry.path())?,
                    false => std::fs::remove_file(entry.path())?,
                }
            }
        }
        Ok(())
    };
    remove().map_err(|source| DiffusionError::Io { action: "clear", path: folder.to_owned(), source })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a finished file durable under its name: contents first, then the name, then the directory that holds it.
fn publish(file: &Path, path: &Path) -> std::io::Result<()> {
    File::open(file)?.sync_all()?;
    std::fs::rename(file, path)?;
    File::open(folder_of(path))?.sync_all()
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
