//! The block in the middle.

use super::transformer::Transformer2DModel;
use super::{Context, UNet2DConditionConfig};
use crate::layers::{ResnetBlock2D, ResnetConfig};
use tch::{Tensor, nn};

/// ResNet block, transformer, ResNet block.
#[derive(Debug)]
pub(super) struct UNetMidBlock2DCrossAttn {
    resnets: [ResnetBlock2D; 2],
    attention: Transformer2DModel,
}

impl UNetMidBlock2DCrossAttn {
    pub(super) fn new(vs: &nn::Path<'_>, config: &UNet2DConditionConfig) -> Self {
        let last = config.blocks() - 1;
        let (channels, resnets) = (config.block_out_channels[last], vs / "resnets");
        let resnet_config = ResnetConfig { output_scale_factor: config.mid_block_scale_factor, ..config.resnet() };
        let resnet = |i| ResnetBlock2D::new(&(&resnets / i), channels, channels, resnet_config);
        Self { resnets: [0, 1].map(resnet), attention: Transformer2DModel::new(&(vs / "attentions" / 0), last, config) }
    }

    /// (b, c, h, w) → (b, c, h, w).
    pub(super) fn forward<'m>(&'m self, x: &Tensor, context: &Context<'_, 'm>) -> Tensor {
        let [first, last] = &self.resnets;
        let x = context.pass.run([x, &context.emb], |[x, emb], adapters| first.forward(x, Some(emb), adapters));
        let x = self.attention.forward(&x, context);
        context.pass.run([&x, &context.emb], |[x, emb], adapters| last.forward(x, Some(emb), adapters))
    }
}
