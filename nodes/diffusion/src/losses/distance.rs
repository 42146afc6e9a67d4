//! How far apart two tensors are.

use tch::{Kind, Tensor};

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
    /// The distance of two tensors of one shape, in float32.
    pub fn between(self, a: &Tensor, b: &Tensor) -> Tensor {
        self.each(a, b).mean(Kind::Float)
    }

    /// The mean over samples (b, c, h, w) of their distances times their weights (b).
    pub fn weighted(self, a: &Tensor, b: &Tensor, weights: &Tensor) -> Tensor {
        (self.each(a, b) * weights.reshape([-1, 1, 1, 1])).mean(Kind::Float)
    }

    /// The distance of each value.
    fn each(self, a: &Tensor, b: &Tensor) -> Tensor {
        let difference = a.to_kind(Kind::Float) - b.to_kind(Kind::Float);
        match self {
            Self::Mse => difference.square(),
            Self::Huber { c } => (difference.square() + c * c).sqrt() - c,
        }
    }
}
