//! The encoder.

use super::AutoencoderKlConfig;
use super::blocks::{DownEncoderBlock2D, UNetMidBlock2D};
use super::config::NORM_EPS;
use crate::layers::{Conv2d, ConvConfig, GroupNorm};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// Pictures to the moments of their latents, before `quant_conv`.
#[derive(Debug)]
pub(super) struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<DownEncoderBlock2D>,
    mid_block: UNetMidBlock2D,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    pub(super) fn new(vs: &nn::Path<'_>, config: &AutoencoderKlConfig) -> Self {
        let (first, inner, moments) =
            (config.block_out_channels[0], config.inner_channels(), 2 * config.latent_channels);
        let blocks = vs / "down_blocks";
        Self {
            conv_in: Conv2d::new(&(vs / "conv_in"), config.in_channels, first, ConvConfig::SAME_3),
            down_blocks: (0..config.blocks()).map(|i| DownEncoderBlock2D::new(&(&blocks / i), i, config)).collect(),
            mid_block: UNetMidBlock2D::new(&(vs / "mid_block"), config),
            conv_norm_out: GroupNorm::new(&(vs / "conv_norm_out"), config.norm_num_groups, inner, NORM_EPS),
            conv_out: Conv2d::new(&(vs / "conv_out"), inner, moments, ConvConfig::SAME_3),
        }
    }

    /// (b, in, h, w) → (b, 2·latent, h/d, w/d).
    pub(super) fn forward(&self, pictures: &Tensor) -> Tensor {
        let x = self.conv_in.forward(pictures, &Adapters::none());
        let x = self.down_blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.mid_block.forward(&x);
        self.conv_out.forward(&self.conv_norm_out.forward(&x).silu(), &Adapters::none())
    }
}
