//! One block of a transformer.

use super::feed_forward::FeedForward;
use crate::layers::{Attention, LayerNorm};
use crate::lora::Adapters;
use tch::{Tensor, nn};

const NORM_EPS: f64 = 1e-5;

/// Attention to itself, attention to the text, feed-forward: each normalised before and added to its input.
#[derive(Debug)]
pub(super) struct BasicTransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl BasicTransformerBlock {
    pub(super) fn new(vs: &nn::Path<'_>, dim: i64, text_dim: i64, heads: i64) -> Self {
        let norm = |name| LayerNorm::new(&(vs / name), dim, NORM_EPS);
        Self {
            norm1: norm("norm1"),
            attn1: Attention::new(&(vs / "attn1"), dim, dim, heads, false),
            norm2: norm("norm2"),
            attn2: Attention::new(&(vs / "attn2"), dim, text_dim, heads, false),
            norm3: norm("norm3"),
            ff: FeedForward::new(&(vs / "ff"), dim),
        }
    }

    /// x (b, n, dim), text (b, length, text dim) → (b, n, dim).
    pub(super) fn forward(&self, x: &Tensor, text: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let h = self.norm1.forward(x);
        let x = x + self.attn1.forward(&h, &h, adapters);
        let x = &x + self.attn2.forward(&self.norm2.forward(&x), text, adapters);
        &x + self.ff.forward(&self.norm3.forward(&x), adapters)
    }
}
