//! The blocks of encoder and decoder.

use super::AutoencoderKlConfig;
use super::config::NORM_EPS;
use crate::Tape;
use crate::layers::{Attention, Downsample2D, GroupNorm, ResnetBlock2D, Upsample2D};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// ResNet blocks, and but for the last block a halving of the size.
#[derive(Debug)]
pub(super) struct DownEncoderBlock2D {
    resnets: Vec<ResnetBlock2D>,
    downsampler: Option<Downsample2D>,
}

impl DownEncoderBlock2D {
    pub(super) fn new(vs: &nn::Path<'_>, block: usize, config: &AutoencoderKlConfig) -> Self {
        let out_channels = config.block_out_channels[block];
        let in_channels = config.block_out_channels[block.saturating_sub(1)];
        let down = || Downsample2D::new(&(vs / "downsamplers" / 0), out_channels, 0);
        Self {
            resnets: resnets(vs, config.layers_per_block, in_channels, out_channels, config),
            downsampler: (block + 1 < config.blocks()).then(down),
        }
    }

    /// (b, in, h, w) → (b, out, h/2, w/2).
    pub(super) fn forward(&self, x: Tensor) -> Tensor {
        let x = self.resnets.iter().fold(x, |x, resnet| resnet.forward(&x, None, &Adapters::none()));
        match &self.downsampler {
            Some(downsampler) => downsampler.forward(&x, &Adapters::none()),
            None => x,
        }
    }
}

/// ResNet blocks, and but for the last block a doubling of the size.
#[derive(Debug)]
pub(super) struct UpDecoderBlock2D {
    resnets: Vec<ResnetBlock2D>,
    upsampler: Option<Upsample2D>,
}

impl UpDecoderBlock2D {
    /// The `index`-th block on the way up.
    pub(super) fn new(vs: &nn::Path<'_>, index: usize, config: &AutoencoderKlConfig) -> Self {
        let block = config.blocks() - 1 - index;
        let out_channels = config.block_out_channels[block];
        let in_channels = config.block_out_channels[(block + 1).min(config.blocks() - 1)];
        Self {
            resnets: resnets(vs, config.layers_per_block + 1, in_channels, out_channels, config),
            upsampler: (block > 0).then(|| Upsample2D::new(&(vs / "upsamplers" / 0), out_channels)),
        }
    }

    /// (b, in, h, w) → (b, out, 2h, 2w).
    pub(super) fn forward<'m>(&'m self, x: Tensor, tape: &Tape<'m>) -> Tensor {
        let x = self.resnets.iter().fold(x, |x, resnet| on(tape, &x, |x| resnet.forward(x, None, &Adapters::none())));
        match &self.upsampler {
            Some(upsampler) => on(tape, &x, |x| {
                let size: Vec<_> = x.size()[2..].iter().map(|side| 2 * side).collect();
                upsampler.forward(x, &size, &Adapters::none())
            }),
            None => x,
        }
    }
}

/// A part of a decoder, recorded on a tape.
pub(super) fn on<'m>(tape: &Tape<'m>, x: &Tensor, f: impl Fn(&Tensor) -> Tensor + 'm) -> Tensor {
    let [y] = tape.run([x], move |[x]| [f(x)]);
    y
}

fn resnets(vs: &nn::Path<'_>, layers: i64, from: i64, to: i64, config: &AutoencoderKlConfig) -> Vec<ResnetBlock2D> {
    let resnets = vs / "resnets";
    let resnet = |i| ResnetBlock2D::new(&(&resnets / i), if i == 0 { from } else { to }, to, config.resnet());
    (0..layers).map(resnet).collect()
}

/// ResNet block, attention, ResNet block.
#[derive(Debug)]
pub(super) struct UNetMidBlock2D {
    resnets: [ResnetBlock2D; 2],
    attention: Option<MidAttention>,
}

impl UNetMidBlock2D {
    pub(super) fn new(vs: &nn::Path<'_>, config: &AutoencoderKlConfig) -> Self {
        let (channels, resnets) = (config.inner_channels(), vs / "resnets");
        let attention = || MidAttention::new(&(vs / "attentions" / 0), channels, config.norm_num_groups);
        Self {
            resnets: [0, 1].map(|i| ResnetBlock2D::new(&(&resnets / i), channels, channels, config.resnet())),
            attention: config.mid_block_add_attention.then(attention),
        }
    }

    /// (b, c, h, w) → (b, c, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.resnets[0].forward(x, None, &Adapters::none());
        if let Some(attention) = &self.attention {
            x = attention.forward(&x);
        }
        self.resnets[1].forward(&x, None, &Adapters::none())
    }
}

/// Attention of all positions to each other, by one head, added to its input.
#[derive(Debug)]
pub(super) struct MidAttention {
    group_norm: GroupNorm,
    attention: Attention,
}

impl MidAttention {
    pub(super) fn new(vs: &nn::Path<'_>, channels: i64, groups: i64) -> Self {
        Self {
            group_norm: GroupNorm::new(&(vs / "group_norm"), groups, channels, NORM_EPS),
            attention: Attention::new(vs, channels, channels, 1, true),
        }
    }

    /// (b, c, h, w) → (b, c, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let size = &x.size()[2..];
        let h_bnc = self.group_norm.forward(x).flatten(2, 3).transpose(1, 2);
        let h_bnc = self.attention.forward(&h_bnc, &h_bnc, &Adapters::none());
        x + h_bnc.transpose(1, 2).unflatten(2, size)
    }
}
