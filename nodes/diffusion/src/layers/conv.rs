//! Two-dimensional convolution, with adapters.

use super::{name_of, ops, variable};
use crate::lora::Adapters;
use tch::{Kind, Tensor, nn};

/// The shape of a convolution: square kernel, equal stride and padding in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvConfig {
    /// Kernel side.
    pub kernel: i64,
    /// Stride.
    pub stride: i64,
    /// Zeros added on each side.
    pub padding: i64,
}

impl ConvConfig {
    /// 3×3 that keeps the size.
    pub const SAME_3: Self = Self { kernel: 3, stride: 1, padding: 1 };
    /// 1×1: a linear layer at each position.
    pub const POINT: Self = Self { kernel: 1, stride: 1, padding: 0 };

    /// The convolution that this configuration describes.
    pub fn apply(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        ops::conv2d(x, weight, bias, self.stride, self.padding)
    }
}

/// A convolution with bias.
#[derive(Debug)]
pub struct Conv2d {
    path: String,
    weight: Tensor,
    bias: Tensor,
    config: ConvConfig,
}

impl Conv2d {
    /// Variables `weight` (out, in, kernel, kernel) and `bias` (out).
    pub fn new(vs: &nn::Path<'_>, in_channels: i64, out_channels: i64, config: ConvConfig) -> Self {
        Self {
            path: name_of(vs),
            weight: variable(vs, "weight", &[out_channels, in_channels, config.kernel, config.kernel]),
            bias: variable(vs, "bias", &[out_channels]),
            config,
        }
    }

    /// (b, in, h, w) → (b, out, h', w'), with what `adapters` hold for this layer.
    pub fn forward(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let y = self.config.apply(x, &self.weight, Some(&self.bias));
        adapters.add_conv(&self.path, x, y, self.config)
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.weight.kind()
    }
}
