//! A block on the way down: `DownBlock2D` and `CrossAttnDownBlock2D`, which differ in having transformers.

use super::transformer::Transformer2DModel;
use super::{Context, DownBlockType, UNet2DConditionConfig};
use crate::layers::{Downsample2D, ResnetBlock2D};
use tch::{Tensor, nn};

/// ResNet blocks, each with or without a transformer, and but for the last block a halving of the size.
#[derive(Debug)]
pub(super) struct DownBlock {
    resnets: Vec<ResnetBlock2D>,
    attentions: Vec<Transformer2DModel>,
    downsampler: Option<Downsample2D>,
}

impl DownBlock {
    pub(super) fn new(vs: &nn::Path<'_>, block: usize, config: &UNet2DConditionConfig) -> Self {
        let out_channels = config.block_out_channels[block];
        let in_channels = config.block_out_channels[block.saturating_sub(1)];
        let layers = config.layers_per_block.get(block);
        let (resnets, attentions) = (vs / "resnets", vs / "attentions");
        let resnet = |i| {
            let from = if i == 0 { in_channels } else { out_channels };
            ResnetBlock2D::new(&(&resnets / i), from, out_channels, config.resnet())
        };
        let attention = |i| Transformer2DModel::new(&(&attentions / i), block, config);
        let attended = config.down_block_types[block] == DownBlockType::CrossAttnDownBlock2D;
        let down = |vs: &nn::Path<'_>| Downsample2D::new(vs, out_channels, config.downsample_padding);
        Self {
            resnets: (0..layers).map(resnet).collect(),
            attentions: (0..if attended { layers } else { 0 }).map(attention).collect(),
            downsampler: (block + 1 < config.blocks()).then(|| down(&(vs / "downsamplers" / 0))),
        }
    }

    /// (b, in, h, w) → (b, out, h/2, w/2); what each layer made is kept on `skips` for the way up.
    pub(super) fn forward<'m>(&'m self, x: Tensor, context: &Context<'_, 'm>, skips: &mut Vec<Tensor>) -> Tensor {
        let mut x = x;
        for (i, resnet) in self.resnets.iter().enumerate() {
            x = context.pass.run([&x, &context.emb], |[x, emb], adapters| resnet.forward(x, Some(emb), adapters));
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(&x, context);
            }
            skips.push(x.shallow_clone());
        }
        if let Some(downsampler) = &self.downsampler {
            x = context.pass.run([&x], |[x], adapters| downsampler.forward(x, adapters));
            skips.push(x.shallow_clone());
        }
        x
    }
}
