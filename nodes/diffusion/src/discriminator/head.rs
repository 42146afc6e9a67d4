//! What turns a UNet's features into logits.

use crate::layers::{Conv2d, ConvConfig, GroupNorm, Linear};
use crate::lora::Adapters;
use tch::{Tensor, nn};

const NORM_EPS: f64 = 1e-5;

/// Two 3×3 convolutions with norm and leaky ReLU, the second added to its input, and one logit at each position: PCM's
/// head (arXiv 2405.18407), but narrow, two channels for each group of the norm. PCM's is as wide as the features, which
/// takes 150 M weights for Stable Diffusion 1.5; this one takes 5 M.
#[derive(Debug)]
pub(super) struct FeatureHead {
    conv1: Conv2d,
    norm1: GroupNorm,
    conv2: Conv2d,
    norm2: GroupNorm,
    conv_out: Conv2d,
}

impl FeatureHead {
    pub(super) fn new(vs: &nn::Path<'_>, channels: i64, groups: i64) -> Self {
        let width = 2 * groups;
        let norm = |name| GroupNorm::new(&(vs / name), groups, width, NORM_EPS);
        Self {
            conv1: Conv2d::new(&(vs / "conv1"), channels, width, ConvConfig::SAME_3),
            norm1: norm("norm1"),
            conv2: Conv2d::new(&(vs / "conv2"), width, width, ConvConfig::SAME_3),
            norm2: norm("norm2"),
            conv_out: Conv2d::new(&(vs / "conv_out"), width, 1, ConvConfig::POINT),
        }
    }

    /// (b, channels, h, w) → (b, 1, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let none = &Adapters::none();
        let x = self.norm1.forward(&self.conv1.forward(x, none)).leaky_relu();
        let x = self.norm2.forward(&self.conv2.forward(&x, none)).leaky_relu() + &x;
        self.conv_out.forward(&x, none)
    }
}

/// Two strided 4×4 convolutions with norm and SiLU, the mean over what is left, and one logit: SDXL-Lightning's head
/// (arXiv 2402.13929, §3.2).
#[derive(Debug)]
pub(super) struct PoolingHead {
    conv1: Conv2d,
    norm1: GroupNorm,
    conv2: Conv2d,
    norm2: GroupNorm,
    linear: Linear,
}

impl PoolingHead {
    pub(super) fn new(vs: &nn::Path<'_>, channels: i64, groups: i64) -> Self {
        let norm = |name| GroupNorm::new(&(vs / name), groups, channels, NORM_EPS);
        let conv = |name| {
            let halving = ConvConfig { kernel: 4, stride: 2, padding: 0 };
            Conv2d::new(&(vs / name), channels, channels, halving)
        };
        Self {
            conv1: conv("conv1"),
            norm1: norm("norm1"),
            conv2: conv("conv2"),
            norm2: norm("norm2"),
            linear: Linear::new(&(vs / "linear"), channels, 1, true),
        }
    }

    /// (b, channels, h, w) → (b, 1).
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let none = &Adapters::none();
        // One row more behind than before, so that any size is halved and rounded up, and 1 stays 1.
        let halve = |conv: &Conv2d, x: &Tensor| conv.forward(&x.constant_pad_nd([1, 2, 1, 2]), none);
        let x = self.norm1.forward(&halve(&self.conv1, x)).silu();
        let x = self.norm2.forward(&halve(&self.conv2, &x)).silu();
        self.linear.forward(&x.mean_dim([2, 3].as_slice(), false, x.kind()), none)
    }
}
