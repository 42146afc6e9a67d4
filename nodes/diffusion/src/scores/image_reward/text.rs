//! BLIP's text tower: BERT (post-norm), each layer of which also attends to the picture.

use super::ImageRewardConfig;
use crate::layers::{Attended, LayerNorm, Linear, attend, variable};
use crate::lora::Adapters;
use tch::{Kind, Tensor, nn};

const EPS: f64 = 1e-12;

/// `text_encoder`
#[derive(Debug)]
pub(super) struct TextEncoder {
    word_embeddings: Tensor,
    position_embeddings: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl TextEncoder {
    pub(super) fn new(vs: &nn::Path<'_>, config: &ImageRewardConfig) -> Self {
        let (embeddings, width) = (vs / "embeddings", config.text.hidden_size);
        let embedding = |name: &str, n| variable(&(&embeddings / name), "weight", &[n, width]);
        let layer = |i: i64| Layer::new(&(vs / "encoder" / "layer" / i), config);
        Self {
            word_embeddings: embedding("word_embeddings", config.vocab_size),
            position_embeddings: embedding("position_embeddings", config.max_position_embeddings),
            norm: LayerNorm::new(&(&embeddings / "LayerNorm"), width, EPS),
            layers: (0..config.text.num_hidden_layers).map(layer).collect(),
        }
    }

    /// Token ids (b, n), which of them are no padding (b, n), and the picture's states (b, m, width of the image tower) →
    /// states (b, n, width).
    pub(super) fn forward(&self, ids_bn: &Tensor, mask_bn: &Tensor, picture: &Tensor) -> Tensor {
        let words = Tensor::embedding(&self.word_embeddings, ids_bn, -1, false, false);
        let x = self.norm.forward(&(words + self.position_embeddings.narrow(0, 0, ids_bn.size()[1])));
        let mask = mask_bn.to_kind(Kind::Bool).unsqueeze(1).unsqueeze(1);
        self.layers.iter().fold(x, |x, layer| layer.forward(&x, &mask, picture))
    }
}

/// `encoder.layer.N`
#[derive(Debug)]
struct Layer {
    attention: Attention,
    crossattention: Attention,
    intermediate: Linear,
    output: Output,
}

impl Layer {
    fn new(vs: &nn::Path<'_>, config: &ImageRewardConfig) -> Self {
        let (width, inner) = (config.text.hidden_size, config.text.intermediate_size);
        let attention = |name, context| Attention::new(&(vs / name), width, context, config.text.heads());
        Self {
            attention: attention("attention", width),
            crossattention: attention("crossattention", config.vision.hidden_size),
            intermediate: Linear::new(&(vs / "intermediate" / "dense"), width, inner, true),
            output: Output::new(&(vs / "output"), inner, width),
        }
    }

    fn forward(&self, x: &Tensor, mask: &Tensor, picture: &Tensor) -> Tensor {
        let x = self.attention.forward(x, x, Some(mask));
        let x = self.crossattention.forward(&x, picture, None);
        let inner = self.intermediate.forward(&x, &Adapters::none()).gelu("none");
        self.output.forward(&inner, &x)
    }
}

/// `attention` or `crossattention`
#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Output,
    heads: i64,
}

impl Attention {
    fn new(vs: &nn::Path<'_>, width: i64, context: i64, heads: i64) -> Self {
        // Fields called `self` cannot be named so here.
        let inner = vs / "self";
        Self {
            query: Linear::new(&(&inner / "query"), width, width, true),
            key: Linear::new(&(&inner / "key"), context, width, true),
            value: Linear::new(&(&inner / "value"), context, width, true),
            output: Output::new(&(vs / "output"), width, width),
            heads,
        }
    }

    /// States (b, n, width) that attend to a context (b, m, …), but for what `mask` (b, 1, 1, m) hides.
    fn forward(&self, x: &Tensor, context: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let base = &Adapters::none();
        let split = |x: Tensor| x.unflatten(2, [self.heads, -1]).transpose(1, 2);
        let q = split(self.query.forward(x, base));
        let (k, v) = (split(self.key.forward(context, base)), split(self.value.forward(context, base)));
        let h_bhnd = attend(&q, &k, &v, mask.map_or(Attended::All, Attended::Masked));
        self.output.forward(&h_bhnd.transpose(1, 2).flatten(2, 3), x)
    }
}

/// `output`: a linear layer, what it is added to, and their norm.
#[derive(Debug)]
struct Output {
    dense: Linear,
    norm: LayerNorm,
}

impl Output {
    fn new(vs: &nn::Path<'_>, inner: i64, width: i64) -> Self {
        Self {
            dense: Linear::new(&(vs / "dense"), inner, width, true),
            norm: LayerNorm::new(&(vs / "LayerNorm"), width, EPS),
        }
    }

    fn forward(&self, inner: &Tensor, x: &Tensor) -> Tensor {
        self.norm.forward(&(self.dense.forward(inner, &Adapters::none()) + x))
    }
}
