//! The head that the aesthetic predictor and ImageReward share.

use crate::layers::Linear;
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// The places of the linear layers among `layers`, of which the others are dropout, and their widths.
const LAYERS: [(i64, i64); 5] = [(0, 1024), (2, 128), (4, 64), (6, 16), (7, 1)];

/// Five linear layers. Published so: with no activation between them.
#[derive(Debug)]
pub(super) struct Head {
    layers: Vec<Linear>,
}

impl Head {
    /// Variables `layers.N.weight` and `layers.N.bias`.
    pub(super) fn new(vs: &nn::Path<'_>, features: i64) -> Self {
        let mut width = features;
        let layer = |(place, out): (i64, i64)| {
            let layer = Linear::new(&(vs / "layers" / place), width, out, true);
            width = out;
            layer
        };
        Self { layers: LAYERS.into_iter().map(layer).collect() }
    }

    /// (b, features) → (b).
    pub(super) fn forward(&self, features: &Tensor) -> Tensor {
        let base = &Adapters::none();
        let out = self.layers.iter().fold(features.shallow_clone(), |x, layer| layer.forward(&x, base));
        out.squeeze_dim(1)
    }
}
