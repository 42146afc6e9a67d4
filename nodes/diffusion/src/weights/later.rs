//! Tensors whose bytes are made when the format's writer asks for them: one at a time, so that a file of any size takes the
//! memory of its largest tensor.

use super::Entry;
use super::write::write_views;
use crate::DiffusionError;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

/// Makes the bytes of a tensor.
pub(super) type Bytes<'a> = Box<dyn Fn() -> Result<Vec<u8>, DiffusionError> + 'a>;

/// A tensor to be written.
pub(super) struct Later<'a> {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<i64>,
    pub(super) bytes: Bytes<'a>,
}

/// Writes tensors to a file, unless the bytes of one cannot be made or are of another number.
pub(super) fn write_later(path: &Path, tensors: Vec<Later<'_>>) -> Result<(), DiffusionError> {
    let failure = RefCell::new(None);
    let view = |Later { name, dtype, shape, bytes }| {
        let shape = shape.iter().map(|&d| d as usize).collect();
        (name, Shown { dtype, shape, bytes, failure: &failure })
    };
    let views = tensors.into_iter().map(view).collect();
    write_views(path, views, Some(Entry::FORMAT_PT), || failure.take().map_or(Ok(()), Err))
}

/// What the writer sees.
struct Shown<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Bytes<'a>,
    /// Where an error goes that the writer does not ask for.
    failure: &'a RefCell<Option<DiffusionError>>,
}

impl View for Shown<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = (self.bytes)().unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            vec![0; self.data_len()]
        });
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}
