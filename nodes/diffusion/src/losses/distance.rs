//! How far apart two tensors are.

use crate::computing::{mean, wide};
use tch::Tensor;

/// A distance d(a, b), averaged over all values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// (a − b)².
    Mse,
    /// √((a − b)² + c²) − c on each value: pseudo-Huber (Song and Dhariwal 2023, eq. 9, per value as in LCM's scripts).
    Huber {
        /// Below c the distance is a square, above it an absolute value.
        c: f64,
    },
}

impl Distance {
    /// The distance of two tensors of one shape, in float32 (float64 of float64).
    pub fn between(self, a: &Tensor, b: &Tensor) -> Tensor {
        mean(&self.each(a, b))
    }

    /// The mean over samples (b, c, h, w) of their distances times their weights (b).
    pub fn weighted(self, a: &Tensor, b: &Tensor, weights: &Tensor) -> Tensor {
        mean(&(self.each(a, b) * weights.reshape([-1, 1, 1, 1])))
    }

    /// The distance of each value.
    fn each(self, a: &Tensor, b: &Tensor) -> Tensor {
        let difference = wide(a) - wide(b);
        match self {
            Self::Mse => difference.square(),
            Self::Huber { c } => (difference.square() + c * c).sqrt() - c,
        }
    }
}
