//! The ResNet block.

use super::{Context, TimeScaleShift, UNet2DConditionConfig};
use crate::layers::{Activation, Conv2d, ConvConfig, GroupNorm, Linear};
use tch::{Tensor, nn};

/// Norm, activation, convolution, twice; the time embedding between; a 1×1 shortcut where the width changes.
#[derive(Debug)]
pub(super) struct ResnetBlock2D {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    act: Activation,
    time_scale_shift: TimeScaleShift,
    output_scale_factor: f64,
}

impl ResnetBlock2D {
    pub(super) fn new(
        vs: &nn::Path<'_>,
        in_channels: i64,
        out_channels: i64,
        config: &UNet2DConditionConfig,
        output_scale_factor: f64,
    ) -> Self {
        let norm = |name, channels| GroupNorm::new(&(vs / name), config.norm_num_groups, channels, config.norm_eps);
        let conv = |name, from, shape| Conv2d::new(&(vs / name), from, out_channels, shape);
        let time_channels = match config.resnet_time_scale_shift {
            TimeScaleShift::Default => out_channels,
            TimeScaleShift::ScaleShift => 2 * out_channels,
        };
        let shortcut = in_channels != out_channels;
        Self {
            norm1: norm("norm1", in_channels),
            conv1: conv("conv1", in_channels, ConvConfig::SAME_3),
            time_emb_proj: Linear::new(&(vs / "time_emb_proj"), config.time_embed_dim(), time_channels, true),
            norm2: norm("norm2", out_channels),
            conv2: conv("conv2", out_channels, ConvConfig::SAME_3),
            conv_shortcut: shortcut.then(|| conv("conv_shortcut", in_channels, ConvConfig::POINT)),
            act: config.act_fn,
            time_scale_shift: config.resnet_time_scale_shift,
            output_scale_factor,
        }
    }

    /// (b, in, h, w) → (b, out, h, w).
    pub(super) fn forward(&self, x: &Tensor, context: &Context<'_>) -> Tensor {
        let adapters = context.adapters;
        // 1. first convolution
        let h = self.conv1.forward(&self.act.forward(&self.norm1.forward(x)), adapters);
        // 2. time, second norm
        let time = self.time_emb_proj.forward(&self.act.forward(&context.emb), adapters);
        let h = self.join(&h, &time.unsqueeze(-1).unsqueeze(-1));
        // 3. second convolution
        let h = self.conv2.forward(&self.act.forward(&h), adapters);
        // 4. shortcut
        let sum = match &self.conv_shortcut {
            Some(conv) => conv.forward(x, adapters) + h,
            None => x + h,
        };
        if self.output_scale_factor == 1.0 { sum } else { sum / self.output_scale_factor }
    }

    /// The second norm with the time embedding (b, out or 2·out, 1, 1).
    fn join(&self, h: &Tensor, time: &Tensor) -> Tensor {
        match self.time_scale_shift {
            TimeScaleShift::Default => self.norm2.forward(&(h + time)),
            TimeScaleShift::ScaleShift => {
                let scale_shift = time.chunk(2, 1);
                self.norm2.forward(h) * (&scale_shift[0] + 1.0) + &scale_shift[1]
            }
        }
    }
}
