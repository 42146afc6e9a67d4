//! How far apart two tensors are.

use tch::{Kind, Reduction, Tensor};

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
        let (a, b) = (a.to_kind(Kind::Float), b.to_kind(Kind::Float));
        match self {
            Self::Mse => a.mse_loss(&b, Reduction::Mean),
            Self::Huber { c } => (((a - b).square() + c * c).sqrt() - c).mean(Kind::Float),
        }
    }
}
