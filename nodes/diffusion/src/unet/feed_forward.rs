//! The feed-forward part of a transformer block.

use crate::layers::Linear;
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// GEGLU (arXiv 2002.05202) of four times the width, and back.
#[derive(Debug)]
pub(super) struct FeedForward {
    proj: Linear,
    out: Linear,
}

impl FeedForward {
    pub(super) fn new(vs: &nn::Path<'_>, dim: i64) -> Self {
        let net = vs / "net";
        Self {
            proj: Linear::new(&(&net / 0 / "proj"), dim, 8 * dim, true),
            out: Linear::new(&(&net / 2), 4 * dim, dim, true),
        }
    }

    /// (…, dim) → (…, dim).
    pub(super) fn forward(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let halves = self.proj.forward(x, adapters).chunk(2, -1);
        self.out.forward(&(&halves[0] * halves[1].gelu("none")), adapters)
    }
}
