//! The transformer of both towers (pre-norm).

use super::HiddenAct;
use crate::layers::{Attended, LayerNorm, Linear, attend};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// What the towers' configurations have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct EncoderConfig {
    pub(super) width: i64,
    pub(super) inner: i64,
    pub(super) layers: i64,
    pub(super) heads: i64,
    pub(super) act: HiddenAct,
    pub(super) eps: f64,
    /// Whether a token sees only itself and those before it.
    pub(super) causal: bool,
}

/// `encoder`
#[derive(Debug)]
pub(super) struct Encoder {
    layers: Vec<EncoderLayer>,
}

impl Encoder {
    pub(super) fn new(vs: &nn::Path<'_>, config: EncoderConfig) -> Self {
        let layers = (0..config.layers).map(|i| EncoderLayer::new(&(vs / "layers" / i), config));
        Self { layers: layers.collect() }
    }

    /// (b, n, width) → the input and the output of every layer in turn.
    pub(super) fn forward(&self, embeddings: Tensor) -> Vec<Tensor> {
        let mut states = vec![embeddings];
        for layer in &self.layers {
            states.push(layer.forward(&states[states.len() - 1]));
        }
        states
    }
}

/// `encoder.layers.N`
#[derive(Debug)]
struct EncoderLayer {
    self_attn: SelfAttention,
    layer_norm1: LayerNorm,
    mlp: Mlp,
    layer_norm2: LayerNorm,
}

impl EncoderLayer {
    fn new(vs: &nn::Path<'_>, config: EncoderConfig) -> Self {
        Self {
            self_attn: SelfAttention::new(&(vs / "self_attn"), config),
            layer_norm1: LayerNorm::new(&(vs / "layer_norm1"), config.width, config.eps),
            mlp: Mlp::new(&(vs / "mlp"), config),
            layer_norm2: LayerNorm::new(&(vs / "layer_norm2"), config.width, config.eps),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.self_attn.forward(&self.layer_norm1.forward(x));
        &x + self.mlp.forward(&self.layer_norm2.forward(&x))
    }
}

#[derive(Debug)]
struct SelfAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    heads: i64,
    causal: bool,
}

impl SelfAttention {
    fn new(vs: &nn::Path<'_>, config: EncoderConfig) -> Self {
        let linear = |name| Linear::new(&(vs / name), config.width, config.width, true);
        Self {
            k_proj: linear("k_proj"),
            v_proj: linear("v_proj"),
            q_proj: linear("q_proj"),
            out_proj: linear("out_proj"),
            heads: config.heads,
            causal: config.causal,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let [q, k, v] = [&self.q_proj, &self.k_proj, &self.v_proj].map(|proj| self.split(&base(proj, x)));
        let h_bhnd = attend(&q, &k, &v, if self.causal { Attended::Past } else { Attended::All });
        base(&self.out_proj, &h_bhnd.transpose(1, 2).flatten(2, 3))
    }

    /// (b, n, heads·d) → (b, heads, n, d).
    fn split(&self, x: &Tensor) -> Tensor {
        x.unflatten(2, [self.heads, -1]).transpose(1, 2)
    }
}

#[derive(Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    act: HiddenAct,
}

impl Mlp {
    fn new(vs: &nn::Path<'_>, config: EncoderConfig) -> Self {
        Self {
            fc1: Linear::new(&(vs / "fc1"), config.width, config.inner, true),
            fc2: Linear::new(&(vs / "fc2"), config.inner, config.width, true),
            act: config.act,
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        base(&self.fc2, &self.act.forward(&base(&self.fc1, x)))
    }
}

/// A linear layer without adapters: the towers are trained whole or frozen.
pub(super) fn base(linear: &Linear, x: &Tensor) -> Tensor {
    linear.forward(x, &Adapters::none())
}
