//! Which adapters act in one forward pass.

use super::{Dropout, Lora, LoraLayer};
use crate::layers::ConvConfig;
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

    /// `y` and what the adapters add to a linear layer's output, in `y`'s dtype.
    pub fn add_linear(&self, path: &str, x: &Tensor, y: Tensor) -> Tensor {
        self.add(path, x, y, LoraLayer::linear)
    }

    /// `y` and what the adapters add to a convolution's output, in `y`'s dtype.
    pub fn add_conv(&self, path: &str, x: &Tensor, y: Tensor, config: ConvConfig) -> Tensor {
        self.add(path, x, y, |layer, x, weight| layer.conv(x, weight, config))
    }

    fn add(&self, path: &str, x: &Tensor, y: Tensor, delta: impl Fn(&LoraLayer, &Tensor, f64) -> Tensor) -> Tensor {
        let kind = y.kind();
        let layers = self.active.iter().filter_map(|active| Some((active, active.lora.layers.get(path)?)));
        // The sum is taken in the wider dtype, so that a bf16 base does not round the adapter away first.
        let sum = layers.fold(y, |y, (active, layer)| {
            let x = x.to_kind(layer.down.kind());
            let x = active.dropout.map_or_else(|| x.shallow_clone(), |dropout| dropout.apply(path, &x));
            y + delta(layer, &x, active.weight)
        });
        sum.to_kind(kind)
    }
}
