//! Halving and doubling a picture's size.

use super::{Conv2d, ConvConfig};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// A strided convolution.
#[derive(Debug)]
pub(crate) struct Downsample2D {
    conv: Conv2d,
    padding: i64,
}

impl Downsample2D {
    /// Padding 0 pads right and bottom only.
    pub(crate) fn new(vs: &nn::Path<'_>, channels: i64, padding: i64) -> Self {
        let config = ConvConfig { kernel: 3, stride: 2, padding };
        Self { conv: Conv2d::new(&(vs / "conv"), channels, channels, config), padding }
    }

    /// (b, c, h, w) → (b, c, h/2, w/2).
    pub(crate) fn forward(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        if self.padding == 0 {
            self.conv.forward(&x.constant_pad_nd([0, 1, 0, 1]), adapters)
        } else {
            self.conv.forward(x, adapters)
        }
    }
}

/// Nearest-neighbour doubling and a convolution.
#[derive(Debug)]
pub(crate) struct Upsample2D {
    conv: Conv2d,
}

impl Upsample2D {
    pub(crate) fn new(vs: &nn::Path<'_>, channels: i64) -> Self {
        Self { conv: Conv2d::new(&(vs / "conv"), channels, channels, ConvConfig::SAME_3) }
    }

    /// To (height, width) `size`: twice `x`'s, or one less where halving rounded up.
    pub(crate) fn forward(&self, x: &Tensor, size: &[i64], adapters: &Adapters<'_>) -> Tensor {
        self.conv.forward(&x.upsample_nearest2d(size, None, None), adapters)
    }
}
