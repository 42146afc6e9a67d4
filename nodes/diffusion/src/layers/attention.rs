//! Multi-head attention.

use super::{Attended, Linear, attend};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// Attention of a sequence to itself or to another.
#[derive(Debug)]
pub(crate) struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: i64,
}

impl Attention {
    /// `other_dim` is the width of what is attended to; `bias` is that of the first three layers.
    pub(crate) fn new(vs: &nn::Path<'_>, dim: i64, other_dim: i64, heads: i64, bias: bool) -> Self {
        Self {
            to_q: Linear::new(&(vs / "to_q"), dim, dim, bias),
            to_k: Linear::new(&(vs / "to_k"), other_dim, dim, bias),
            to_v: Linear::new(&(vs / "to_v"), other_dim, dim, bias),
            to_out: Linear::new(&(vs / "to_out" / 0), dim, dim, true),
            heads,
        }
    }

    /// x (b, n, dim), other (b, m, other) → (b, n, dim).
    pub(crate) fn forward(&self, x: &Tensor, other: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let q = self.split(&self.to_q.forward(x, adapters));
        let k = self.split(&self.to_k.forward(other, adapters));
        let v = self.split(&self.to_v.forward(other, adapters));
        let h_bhnd = attend(&q, &k, &v, Attended::All);
        self.to_out.forward(&h_bhnd.transpose(1, 2).flatten(2, 3), adapters)
    }

    /// (b, n, heads·d) → (b, heads, n, d).
    fn split(&self, x: &Tensor) -> Tensor {
        x.unflatten(2, [self.heads, -1]).transpose(1, 2)
    }
}
