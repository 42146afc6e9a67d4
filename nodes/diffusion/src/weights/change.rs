//! Writing the tensors of a file again, changed.

use super::WeightFile;
use super::later::{Later, write_later};
use super::write::{bytes_of, dtype_of};
use crate::DiffusionError;
use std::path::Path;
use tch::{Kind, Tensor};

/// Writes a file of the names and shapes of another: floating tensors as `kind` or, without one, as they are stored.
/// `tensor` is asked for each, one after the other.
///
/// # Errors
/// What `tensor` says, [`DiffusionError::Tensor`] if it yields another shape, [`DiffusionError::Io`] if the disk refuses;
/// then there is no file.
pub fn rewrite_tensors(
    file: &WeightFile,
    path: &Path,
    kind: Option<Kind>,
    tensor: impl Fn(&str, Kind) -> Result<Tensor, DiffusionError>,
) -> Result<(), DiffusionError> {
    let tensor = &tensor;
    let later = |key: &str| {
        // Of a type that is not known here, reading the tensor will say so.
        let stored = file.dtype(key).unwrap_or(Kind::Float);
        let floating = matches!(stored, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double);
        let kind = kind.filter(|_| floating).unwrap_or(stored);
        let (name, shape) = (key.to_owned(), file.shape(key).unwrap_or_default());
        let made = {
            let (name, shape) = (name.clone(), shape.clone());
            move || match tensor(&name, kind)? {
                tensor if tensor.size() == shape => bytes_of(&tensor.f_to_kind(kind)?),
                other => {
                    Err(DiffusionError::Tensor(format!("{name} became {:?} where it was {shape:?}", other.size())))
                }
            }
        };
        Ok(Later { name, dtype: dtype_of(path, key, kind)?, shape, bytes: Box::new(made) })
    };
    write_later(path, file.keys().map(later).collect::<Result<_, DiffusionError>>()?)
}
