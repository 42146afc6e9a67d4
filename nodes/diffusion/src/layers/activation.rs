//! Activation functions by their names in configuration files.

use serde::{Deserialize, Serialize};
use tch::Tensor;

/// An activation function (`act_fn`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `x·sigmoid(x)`.
    #[default]
    #[serde(alias = "swish")]
    Silu,
    /// `x·Φ(x)`, exact.
    Gelu,
    /// `x·tanh(softplus(x))`.
    Mish,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies it element by element.
    pub fn forward(self, x: &Tensor) -> Tensor {
        match self {
            Self::Silu => x.silu(),
            Self::Gelu => x.gelu("none"),
            Self::Mish => x.mish(),
            Self::Relu => x.relu(),
        }
    }
}
