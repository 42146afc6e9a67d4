//! The decoder.

use super::AutoencoderKlConfig;
use super::blocks::{UNetMidBlock2D, UpDecoderBlock2D, on};
use super::config::NORM_EPS;
use crate::Tape;
use crate::layers::{Conv2d, ConvConfig, GroupNorm};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// Latents, after `post_quant_conv`, to pictures.
#[derive(Debug)]
pub(super) struct Decoder {
    conv_in: Conv2d,
    mid_block: UNetMidBlock2D,
    up_blocks: Vec<UpDecoderBlock2D>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub(super) fn new(vs: &nn::Path<'_>, config: &AutoencoderKlConfig) -> Self {
        let (first, inner) = (config.block_out_channels[0], config.inner_channels());
        let blocks = vs / "up_blocks";
        Self {
            conv_in: Conv2d::new(&(vs / "conv_in"), config.latent_channels, inner, ConvConfig::SAME_3),
            mid_block: UNetMidBlock2D::new(&(vs / "mid_block"), config),
            up_blocks: (0..config.blocks()).map(|i| UpDecoderBlock2D::new(&(&blocks / i), i, config)).collect(),
            conv_norm_out: GroupNorm::new(&(vs / "conv_norm_out"), config.norm_num_groups, first, NORM_EPS),
            conv_out: Conv2d::new(&(vs / "conv_out"), first, config.out_channels, ConvConfig::SAME_3),
        }
    }

    /// (b, latent, h, w) → (b, out, d·h, d·w).
    pub(super) fn forward<'m>(&'m self, latents: &Tensor, tape: &Tape<'m>) -> Tensor {
        let x = on(tape, latents, |z| self.mid_block.forward(&self.conv_in.forward(z, &Adapters::none())));
        let x = self.up_blocks.iter().fold(x, |x, block| block.forward(x, tape));
        on(tape, &x, |x| self.conv_out.forward(&self.conv_norm_out.forward(x).silu(), &Adapters::none()))
    }
}
