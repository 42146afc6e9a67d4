//! A transformer over the positions of a picture.

use super::transformer_block::BasicTransformerBlock;
use super::{Context, UNet2DConditionConfig};
use crate::layers::{Conv2d, ConvConfig, GroupNorm, Linear};
use crate::lora::Adapters;
use tch::{Tensor, nn};

/// Not `norm_eps`, in diffusers either.
const NORM_EPS: f64 = 1e-6;

/// Norm, projection in, blocks, projection out, added to the input.
#[derive(Debug)]
pub(super) struct Transformer2DModel {
    norm: GroupNorm,
    proj_in: Projection,
    transformer_blocks: Vec<BasicTransformerBlock>,
    proj_out: Projection,
}

impl Transformer2DModel {
    /// The transformer of block `block` (counted from the input inwards).
    pub(super) fn new(vs: &nn::Path<'_>, block: usize, config: &UNet2DConditionConfig) -> Self {
        let channels = config.block_out_channels[block];
        let (text_dim, heads) = (config.cross_attention_dim.get(block), config.attention_head_dim.get(block));
        let depth = config.transformer_layers_per_block.get(block);
        let blocks = vs / "transformer_blocks";
        let new_block = |i| BasicTransformerBlock::new(&(&blocks / i), channels, text_dim, heads);
        let projection = |name| Projection::new(&(vs / name), channels, config.use_linear_projection);
        Self {
            norm: GroupNorm::new(&(vs / "norm"), config.norm_num_groups, channels, NORM_EPS),
            proj_in: projection("proj_in"),
            transformer_blocks: (0..depth).map(new_block).collect(),
            proj_out: projection("proj_out"),
        }
    }

    /// (b, c, h, w) → (b, c, h, w).
    pub(super) fn forward<'m>(&'m self, x_bchw: &Tensor, context: &Context<'_, 'm>) -> Tensor {
        let (_, _, height, width) = x_bchw.size4().expect("a picture has four dimensions");
        // 1. in
        let mut h_bnc =
            context.pass.run([x_bchw], |[x], adapters| self.proj_in.to_sequence(&self.norm.forward(x), adapters));
        // 2. blocks
        for block in &self.transformer_blocks {
            h_bnc = context.pass.run([&h_bnc, &context.text], |[h, text], adapters| block.forward(h, text, adapters));
        }
        // 3. out
        context
            .pass
            .run([x_bchw, &h_bnc], move |[x, h], adapters| x + self.proj_out.to_picture(h, height, width, adapters))
    }
}

/// A layer on the channels: a 1×1 convolution on the picture or a linear layer on the sequence.
#[derive(Debug)]
enum Projection {
    Conv(Conv2d),
    Linear(Linear),
}

impl Projection {
    fn new(vs: &nn::Path<'_>, channels: i64, linear: bool) -> Self {
        if linear {
            Self::Linear(Linear::new(vs, channels, channels, true))
        } else {
            Self::Conv(Conv2d::new(vs, channels, channels, ConvConfig::POINT))
        }
    }

    /// (b, c, h, w) → (b, h·w, c).
    fn to_sequence(&self, x: &Tensor, adapters: &Adapters<'_>) -> Tensor {
        let sequence = |x: &Tensor| x.flatten(2, 3).transpose(1, 2).contiguous();
        match self {
            Self::Conv(conv) => sequence(&conv.forward(x, adapters)),
            Self::Linear(linear) => linear.forward(&sequence(x), adapters),
        }
    }

    /// (b, h·w, c) → (b, c, h, w).
    fn to_picture(&self, x: &Tensor, height: i64, width: i64, adapters: &Adapters<'_>) -> Tensor {
        let picture = |x: &Tensor| x.transpose(1, 2).unflatten(2, [height, width]).contiguous();
        match self {
            Self::Conv(conv) => conv.forward(&picture(x), adapters),
            Self::Linear(linear) => picture(&linear.forward(x, adapters)),
        }
    }
}
