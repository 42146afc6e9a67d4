//! Copying tensors from files to a file under other names, without libtorch and one at a time: no conversion rounds
//! anything, and a model of any size takes the memory of its largest tensor.

use super::write::write_views;
use super::{Entry, Weights};
use crate::DiffusionError;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// What of a stored tensor is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// One of three equal groups of its rows, counted from 0.
    Third(usize),
    /// A matrix, its rows made columns.
    Transposed,
}

impl Part {
    /// The shape of this part of a tensor of `shape`; `None` if it has no such part.
    pub fn shape(self, shape: &[i64]) -> Option<Vec<i64>> {
        match (self, shape) {
            (Self::Whole, _) => Some(shape.to_vec()),
            (Self::Third(_), [rows, rest @ ..]) if rows % 3 == 0 => Some([&[rows / 3], rest].concat()),
            (Self::Transposed, [rows, columns]) => Some(vec![*columns, *rows]),
            _ => None,
        }
    }
}

/// A tensor to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its key in the file that has it.
    pub key: String,
    /// What of it.
    pub part: Part,
    /// The shape that it is to have, of as many elements as the part has.
    pub shape: Vec<i64>,
}

/// Writes a file of tensors out of `weights`, each under a new name, in its own dtype.
///
/// # Errors
/// As [`WeightFile::tensor`](super::WeightFile::tensor) and [`write_tensors`](super::write_tensors); then there is no
/// file.
pub fn copy_tensors(weights: &Weights, tensors: &BTreeMap<String, Source>, path: &Path) -> Result<(), DiffusionError> {
    let failure = RefCell::new(None);
    let views = tensors.iter().map(|(name, source)| Ok((name.clone(), Copied::new(weights, source, &failure)?)));
    let views = views.collect::<Result<Vec<_>, DiffusionError>>()?;
    write_views(path, views, Some(Entry::FORMAT_PT), || failure.take().map_or(Ok(()), Err))
}

struct Copied<'a> {
    weights: &'a Weights,
    key: &'a str,
    part: Part,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Where an error goes that the format's writer does not ask for.
    failure: &'a RefCell<Option<DiffusionError>>,
}

impl<'a> Copied<'a> {
    fn new(
        weights: &'a Weights,
        source: &'a Source,
        failure: &'a RefCell<Option<DiffusionError>>,
    ) -> Result<Self, DiffusionError> {
        let Source { key, part, shape } = source;
        let (dtype, _) = weights.file(key).stored(key)?;
        let shape = shape.iter().map(|&d| d as usize).collect();
        Ok(Self { weights, key, part: *part, dtype, shape, failure })
    }

    fn read(&self) -> Result<Vec<u8>, DiffusionError> {
        let file = self.weights.file(self.key);
        let (_, shape) = file.stored(self.key)?;
        let length = shape.iter().product::<usize>() * self.dtype.bitsize() / 8;
        match self.part {
            Part::Whole => file.bytes_of(self.key, 0..length),
            Part::Third(third) => file.bytes_of(self.key, length / 3 * third..length / 3 * (third + 1)),
            Part::Transposed => Ok(transposed(&file.bytes_of(self.key, 0..length)?, self.shape[0], self.shape[1])),
        }
    }
}

impl View for Copied<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.read().unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            vec![0; self.data_len()]
        });
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// The bytes of a matrix (rows, columns) out of those of its transpose.
fn transposed(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let size = bytes.len() / (rows * columns).max(1);
    let element = |row: usize, column: usize| &bytes[(column * rows + row) * size..][..size];
    (0..rows).flat_map(|row| (0..columns).flat_map(move |column| element(row, column).iter().copied())).collect()
}
