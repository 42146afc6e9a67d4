//! The masks of a dataset's pictures, which not every dataset has.

use std::path::Path;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::{RowWriter, WeightFile};
use hyper_flow_spec::Level;
use tch::{Device, Kind, Tensor};

use crate::NodeError;
use crate::picture::Square;
use crate::worker::Context;

const MASKS: &str = "masks";

/// The masks of one half, in the order of its pictures.
#[derive(Debug)]
pub(crate) struct Masks(WeightFile);

impl Masks {
    /// The name of the file that holds those of a half.
    pub(crate) fn file(half: &str) -> String {
        format!("{half}_masks.safetensors")
    }

    /// A file in the making, a row a picture.
    pub(crate) fn writer(path: &Path, count: i64, side: i64) -> Result<RowWriter, DiffusionError> {
        RowWriter::create(path, MASKS, Kind::Uint8, &[count, 1, side, side])
    }

    /// Those of a half with so many pictures, if it has any.
    pub(crate) fn read(folder: &Path, half: &str, count: i64, side: i64) -> Result<Option<Self>, NodeError> {
        let path = folder.join(Self::file(half));
        if !path.exists() {
            return Ok(None);
        }
        let file = WeightFile::open(&path)?;
        let fits = file.shape(MASKS).as_deref() == Some(&[count, 1, side, side]);
        match fits && file.dtype(MASKS) == Some(Kind::Uint8) {
            true => Ok(Some(Self(file))),
            false => {
                let message = format!("has no `masks` of {count}×1×{side}×{side} in uint8, as the pictures want them");
                Err(NodeError::content(&path, message))
            }
        }
    }

    /// Masks (b, 1, height, width) in [0, 1], float32, in the order asked for.
    pub(crate) fn of(&self, indices: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        Ok(self.0.rows(MASKS, indices, Kind::Uint8, device)?.to_kind(Kind::Float) / 255.0)
    }
}

/// How many pictures say nothing of how opaque they are, where masks are made of that.
#[derive(Debug, Default)]
pub(crate) struct Opaque {
    without: usize,
    all: usize,
}

impl Opaque {
    /// Counts a picture, if its mask was asked for.
    pub(crate) fn count(&mut self, picture: &Square) {
        self.all += usize::from(picture.mask.is_some());
        self.without += usize::from(picture.mask.is_some() && !picture.has_alpha);
    }

    /// Tells of those without an alpha channel, whose masks are everything. Fails if that is all of them.
    pub(crate) fn tell(&self, context: &Context) -> Result<(), NodeError> {
        if self.without == 0 {
            return Ok(());
        }
        if self.without == self.all {
            let message = "no picture has an alpha channel, which masks are made of; leave `masks` out";
            return Err(NodeError::Unfit(message.into()));
        }
        let text = format!("{} pictures have no alpha channel: the whole of each is its mask", self.without);
        context.reporter.message(Level::Warning, text);
        Ok(())
    }
}
