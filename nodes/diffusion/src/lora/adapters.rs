//! Which adapters act in one forward pass.

use super::Lora;
use crate::layers::ConvConfig;
use tch::Tensor;

/// The adapters active in one forward pass, each with a weight; none is the base alone.
///
/// Borrowed, so that student, EMA, fake score and parent-plus-delta share one frozen base and switch without a copy:
/// `unet.forward(…, &Adapters::one(&student))`, `unet.forward(…, &Adapters::none())`.
#[derive(Debug, Clone, Default)]
pub struct Adapters<'a> {
    active: Vec<(&'a Lora, f64)>,
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
        self.active.push((lora, weight));
        self
    }

    /// `y` and what the adapters add to a linear layer's output, in `y`'s dtype.
    pub fn add_linear(&self, path: &str, x: &Tensor, y: Tensor) -> Tensor {
        self.add(path, y, |layer, weight| layer.linear(x, weight))
    }

    /// `y` and what the adapters add to a convolution's output, in `y`'s dtype.
    pub fn add_conv(&self, path: &str, x: &Tensor, y: Tensor, config: ConvConfig) -> Tensor {
        self.add(path, y, |layer, weight| layer.conv(x, weight, config))
    }

    fn add(&self, path: &str, y: Tensor, delta: impl Fn(&super::LoraLayer, f64) -> Tensor) -> Tensor {
        let kind = y.kind();
        let layers = self.active.iter().filter_map(|(lora, weight)| Some((lora.layers.get(path)?, *weight)));
        // The sum is taken in the wider dtype, so that a bf16 base does not round the adapter away first.
        layers.fold(y, |y, (layer, weight)| y + delta(layer, weight)).to_kind(kind)
    }
}
