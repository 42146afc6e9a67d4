//! Which adapters act in one forward pass.

use super::{Dropout, Lora, LoraLayer, fused};
use crate::layers::{ConvConfig, ops};
use tch::Tensor;

/// The adapters active in one forward pass, each with a weight; none is the base alone.
///
/// Borrowed, so that student, EMA, fake score and parent-plus-delta share one frozen base and switch without a copy:
/// `unet.forward(…, &Adapters::one(&student))`, `unet.forward(…, &Adapters::none())`.
#[derive(Debug, Clone, Default)]
pub struct Adapters<'a> {
    active: Vec<Active<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Active<'a> {
    lora: &'a Lora,
    weight: f64,
    dropout: Option<Dropout>,
}

impl<'a> Adapters<'a> {
    /// The base alone.
    pub fn none() -> Self {
        Self::default()
    }

    /// One adapter at full weight.
    pub fn one(lora: &'a Lora) -> Self {
        Self::none().with(lora, 1.0)
    }

    /// These adapters and one more; outputs add up.
    #[must_use]
    pub fn with(mut self, lora: &'a Lora, weight: f64) -> Self {
        self.active.push(Active { lora, weight, dropout: None });
        self
    }

    /// The adapter added last drops some of its inputs: it is trained in this pass.
    #[must_use]
    pub fn dropout(mut self, dropout: Option<Dropout>) -> Self {
        if let Some(last) = self.active.last_mut() {
            last.dropout = dropout;
        }
        self
    }

    /// A linear layer with what the adapters hold for it: x (…, in) → (…, out), in x's dtype, which the layer must have.
    pub fn linear(&self, path: &str, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let layers = self.layers(path);
        let positions = || x.numel() as i64 / weight.size()[1];
        if fused::is_cheaper(&layers, weight, positions) {
            return ops::linear(x, &fused::weight(&layers, weight), bias);
        }
        add(path, x, ops::linear(x, weight, bias), &layers, LoraLayer::linear)
    }

    /// A convolution with what the adapters hold for it: x (b, in, h, w) → (b, out, h', w'), in x's dtype, which the layer
    /// must have.
    pub fn conv(&self, path: &str, x: &Tensor, weight: &Tensor, bias: &Tensor, config: ConvConfig) -> Tensor {
        let layers = self.layers(path);
        let positions = || x.numel() as i64 / (weight.size()[1] * config.stride * config.stride);
        if fused::is_cheaper(&layers, weight, positions) {
            return config.apply(x, &fused::weight(&layers, weight), Some(bias));
        }
        let y = config.apply(x, weight, Some(bias));
        add(path, x, y, &layers, |layer, x, weight| layer.conv(x, weight, config))
    }

    /// What acts on a module.
    fn layers(&self, path: &str) -> Vec<Acting<'a>> {
        let acting = |active: &Active<'a>| {
            let &Active { lora, weight, dropout } = active;
            Some(Acting { layer: lora.layers.get(path)?, weight, dropout })
        };
        self.active.iter().filter_map(acting).collect()
    }
}

/// The adapter of one module in one forward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acting<'a> {
    pub(super) layer: &'a LoraLayer,
    pub(super) weight: f64,
    pub(super) dropout: Option<Dropout>,
}

/// `y` and what adapters add to it, in `y`'s dtype.
fn add(
    path: &str,
    x: &Tensor,
    y: Tensor,
    layers: &[Acting<'_>],
    delta: impl Fn(&LoraLayer, &Tensor, f64) -> Tensor,
) -> Tensor {
    let kind = y.kind();
    // The sum is taken in the wider dtype, so that a bf16 base does not round the adapter away first.
    let sum = layers.iter().fold(y, |y, &Acting { layer, weight, dropout }| {
        let x = x.to_kind(layer.down.kind());
        let x = dropout.map_or_else(|| x.shallow_clone(), |dropout| dropout.apply(path, &x));
        y + delta(layer, &x, weight)
    });
    sum.to_kind(kind)
}
