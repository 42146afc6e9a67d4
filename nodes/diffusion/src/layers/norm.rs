//! Normalisation. libtorch sums in fp32 whatever the dtype of its input.

use super::variable;
use tch::{Tensor, nn};

/// Group normalisation with scale and shift.
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// Variables `weight` and `bias` (channels).
    pub fn new(vs: &nn::Path<'_>, groups: i64, channels: i64, eps: f64) -> Self {
        let (weight, bias) = (variable(vs, "weight", &[channels]), variable(vs, "bias", &[channels]));
        Self { weight, bias, groups, eps }
    }

    /// (b, channels, …) → the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}

/// Layer normalisation over the last dimension, with scale and shift.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Variables `weight` and `bias` (features).
    pub fn new(vs: &nn::Path<'_>, features: i64, eps: f64) -> Self {
        let (weight, bias) = (variable(vs, "weight", &[features]), variable(vs, "bias", &[features]));
        Self { weight, bias, eps }
    }

    /// (…, features) → the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}
