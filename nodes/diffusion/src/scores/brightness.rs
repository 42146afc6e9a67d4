//! Mean brightness: a reward that is easily raised and says nothing, to try guards with.

use super::{Captions, Score};
use crate::DiffusionError;
use tch::{Kind, Tensor};

/// The mean of all values of a picture, 0 for black and 1 for white. Values outside [−1, 1] count as they are, so that no
/// picture is without gradient.
#[derive(Debug)]
pub struct Brightness {
    /// Channels of the pictures.
    pub channels: i64,
}

impl Score for Brightness {
    fn channels(&self) -> i64 {
        self.channels
    }

    /// Captions do not matter.
    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        Ok(Captions(Tensor::zeros([captions.len() as i64, 0], (Kind::Float, tch::Device::Cpu))))
    }

    fn score(&self, pictures: &Tensor, _: &Captions) -> Tensor {
        (self.features(pictures).mean_dim([1].as_slice(), false, Kind::Float) + 1.0) / 2.0
    }

    /// The values themselves.
    fn features(&self, pictures: &Tensor) -> Tensor {
        pictures.to_kind(Kind::Float).flatten(1, -1)
    }
}
