//! Copying tensors from files to a file under other names, without libtorch and one at a time: no conversion rounds
//! anything but a scale's product, and a model of any size takes the memory of its largest tensor.

use super::Weights;
use super::later::{Later, write_later};
use crate::DiffusionError;
use std::collections::BTreeMap;
use std::iter::once;
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

/// Writes a file of tensors out of `weights`, each under a new name, in its own dtype; those of eight bits widened.
///
/// # Errors
/// [`DiffusionError::NotFinite`] for a weight that is no number; otherwise as
/// [`WeightFile::tensor`](super::WeightFile::tensor) and [`write_tensors`](super::write_tensors); then there is no file.
pub fn copy_tensors(weights: &Weights, tensors: &BTreeMap<String, Source>, path: &Path) -> Result<(), DiffusionError> {
    let later = tensors.iter().map(|(name, source)| later(weights, name, source));
    write_later(path, later.collect::<Result<_, _>>()?)
}

fn later<'a>(weights: &'a Weights, name: &str, source: &'a Source) -> Result<Later<'a>, DiffusionError> {
    let (dtype, _) = weights.file(&source.key).given(&source.key)?;
    let bytes = Box::new(move || read(weights, source));
    Ok(Later { name: name.to_owned(), dtype, shape: source.shape.clone(), bytes })
}

fn read(weights: &Weights, Source { key, part, shape }: &Source) -> Result<Vec<u8>, DiffusionError> {
    let file = weights.file(key);
    let (dtype, count) = file.given(key)?;
    let range = match *part {
        Part::Third(third) => count / 3 * third..count / 3 * (third + 1),
        Part::Whole | Part::Transposed => 0..count,
    };
    let bytes = file.elements(key, once(range))?;
    file.finite(key, &bytes, dtype)?;
    Ok(if *part == Part::Transposed { transposed(&bytes, shape[0] as usize, shape[1] as usize) } else { bytes })
}

/// The bytes of a matrix (rows, columns) out of those of its transpose.
fn transposed(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let size = bytes.len() / (rows * columns).max(1);
    let element = |row: usize, column: usize| &bytes[(column * rows + row) * size..][..size];
    (0..rows).flat_map(|row| (0..columns).flat_map(move |column| element(row, column).iter().copied())).collect()
}
