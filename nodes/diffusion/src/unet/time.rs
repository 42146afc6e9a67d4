//! Embedding of timesteps.

use crate::layers::{Activation, Linear};
use crate::lora::Adapters;
use tch::{Kind, Tensor, nn};

/// Sines and cosines of `values` (n) at `dim/2` frequencies from 1 down to 1/10000: (n, dim), fp32.
pub(super) fn sinusoid(values: &Tensor, dim: i64, flip_sin_to_cos: bool, freq_shift: i64) -> Tensor {
    let half = dim / 2;
    let exponent = Tensor::arange(half, (Kind::Float, values.device())) * -(10_000f64.ln());
    let frequencies = (exponent / (half - freq_shift) as f64).exp();
    let angles = values.to_kind(Kind::Float).unsqueeze(1) * frequencies.unsqueeze(0);
    let (sin, cos) = (angles.sin(), angles.cos());
    let parts = if flip_sin_to_cos { [cos, sin] } else { [sin, cos] };
    Tensor::cat(&parts, 1).constant_pad_nd([0, dim % 2])
}

/// Two linear layers with an activation between.
#[derive(Debug)]
pub(super) struct TimestepEmbedding {
    linear_1: Linear,
    act: Activation,
    linear_2: Linear,
}

impl TimestepEmbedding {
    pub(super) fn new(vs: &nn::Path<'_>, in_features: i64, time_embed_dim: i64, act: Activation) -> Self {
        Self {
            linear_1: Linear::new(&(vs / "linear_1"), in_features, time_embed_dim, true),
            act,
            linear_2: Linear::new(&(vs / "linear_2"), time_embed_dim, time_embed_dim, true),
        }
    }

    /// (b, in) → (b, time).
    pub(super) fn forward(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let x = self.act.forward(&self.linear_1.forward(x, adapters));
        self.linear_2.forward(&x, adapters)
    }
}
