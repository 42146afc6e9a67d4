//! `y = x·Wᵀ + b`, with adapters.

use super::{name_of, ops, variable};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// A linear layer.
#[derive(Debug)]
pub struct Linear {
    path: String,
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Variables `weight` (out, in) and, if asked for, `bias` (out).
    pub fn new(vs: &nn::Path<'_>, in_features: i64, out_features: i64, bias: bool) -> Self {
        Self {
            path: name_of(vs),
            weight: variable(vs, "weight", &[out_features, in_features]),
            bias: bias.then(|| variable(vs, "bias", &[out_features])),
        }
    }

    /// (…, in) → (…, out), with what `adapters` hold for this layer.
    pub fn forward(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        adapters.add_linear(&self.path, x, ops::linear(x, &self.weight, self.bias.as_ref()))
    }
}
