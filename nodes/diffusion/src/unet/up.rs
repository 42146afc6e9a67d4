//! A block on the way up: `UpBlock2D` and `CrossAttnUpBlock2D`, which differ in having transformers.

use super::transformer::Transformer2DModel;
use super::{Context, UNet2DConditionConfig, UpBlockType};
use crate::layers::{ResnetBlock2D, Upsample2D};
use tch::{Tensor, nn};

/// ResNet blocks over what the way down kept, each with or without a transformer, and but for the last block a doubling
/// of the size.
#[derive(Debug)]
pub(super) struct UpBlock {
    resnets: Vec<ResnetBlock2D>,
    attentions: Vec<Transformer2DModel>,
    upsampler: Option<Upsample2D>,
}

impl UpBlock {
    /// The `index`-th block on the way up.
    pub(super) fn new(vs: &nn::Path<'_>, index: usize, config: &UNet2DConditionConfig) -> Self {
        let block = config.blocks() - 1 - index;
        let out_channels = config.block_out_channels[block];
        let below = config.block_out_channels[(block + 1).min(config.blocks() - 1)];
        let above = config.block_out_channels[block.saturating_sub(1)];
        let layers = config.layers_per_block.get(block) + 1;
        let (resnets, attentions) = (vs / "resnets", vs / "attentions");
        let resnet = |i| {
            let from = if i == 0 { below } else { out_channels };
            let skip = if i == layers - 1 { above } else { out_channels };
            ResnetBlock2D::new(&(&resnets / i), from + skip, out_channels, config.resnet())
        };
        let attention = |i| Transformer2DModel::new(&(&attentions / i), block, config);
        let attended = config.up_block_types[index] == UpBlockType::CrossAttnUpBlock2D;
        let up = |vs: &nn::Path<'_>| Upsample2D::new(vs, out_channels);
        Self {
            resnets: (0..layers).map(resnet).collect(),
            attentions: (0..if attended { layers } else { 0 }).map(attention).collect(),
            upsampler: (block > 0).then(|| up(&(vs / "upsamplers" / 0))),
        }
    }

    /// (b, below, h, w) → (b, out, 2h, 2w), taking what the way down kept off the end of `skips`.
    pub(super) fn forward<'m>(&'m self, x: Tensor, context: &Context<'_, 'm>, skips: &mut Vec<Tensor>) -> Tensor {
        let mut x = x;
        for (i, resnet) in self.resnets.iter().enumerate() {
            let skip = skips.pop().expect("the way down keeps one for each layer of the way up");
            x = context.pass.run([&x, &skip, &context.emb], |[x, skip, emb], adapters| {
                resnet.forward(&Tensor::cat(&[x, skip], 1), Some(emb), adapters)
            });
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(&x, context);
            }
        }
        match (&self.upsampler, skips.last()) {
            (Some(upsampler), Some(next)) => {
                let size = next.size()[2..].to_vec();
                context.pass.run([&x], move |[x], adapters| upsampler.forward(x, &size, adapters))
            }
            _ => x,
        }
    }
}
