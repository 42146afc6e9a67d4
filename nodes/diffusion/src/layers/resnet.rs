//! The ResNet block of UNet and VAE.

use super::{Activation, Conv2d, ConvConfig, GroupNorm, Linear};
use crate::lora::Adapters;
use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

/// How the time embedding enters a ResNet block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeScaleShift {
    /// Added before the second norm.
    #[default]
    Default,
    /// As scale and shift after the second norm.
    ScaleShift,
}

/// What the ResNet blocks of one model share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResnetConfig {
    /// Groups of the norms.
    pub(crate) groups: i64,
    /// Epsilon of the norms.
    pub(crate) eps: f64,
    pub(crate) act: Activation,
    /// Width of the time embedding, and how it enters. A VAE has none.
    pub(crate) time: Option<(i64, TimeScaleShift)>,
    /// The output is divided by this.
    pub(crate) output_scale_factor: f64,
}

/// Norm, activation, convolution, twice; the time embedding between; a 1×1 shortcut where the width changes.
#[derive(Debug)]
pub(crate) struct ResnetBlock2D {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    act: Activation,
    time_scale_shift: TimeScaleShift,
    output_scale_factor: f64,
}

impl ResnetBlock2D {
    pub(crate) fn new(vs: &nn::Path<'_>, in_channels: i64, out_channels: i64, config: ResnetConfig) -> Self {
        let norm = |name, channels| GroupNorm::new(&(vs / name), config.groups, channels, config.eps);
        let conv = |name, from, shape| Conv2d::new(&(vs / name), from, out_channels, shape);
        let time_emb_proj = |(dim, shift)| {
            let wide = if shift == TimeScaleShift::ScaleShift { 2 * out_channels } else { out_channels };
            Linear::new(&(vs / "time_emb_proj"), dim, wide, true)
        };
        let shortcut = in_channels != out_channels;
        Self {
            norm1: norm("norm1", in_channels),
            conv1: conv("conv1", in_channels, ConvConfig::SAME_3),
            time_emb_proj: config.time.map(time_emb_proj),
            norm2: norm("norm2", out_channels),
            conv2: conv("conv2", out_channels, ConvConfig::SAME_3),
            conv_shortcut: shortcut.then(|| conv("conv_shortcut", in_channels, ConvConfig::POINT)),
            act: config.act,
            time_scale_shift: config.time.map(|(_, shift)| shift).unwrap_or_default(),
            output_scale_factor: config.output_scale_factor,
        }
    }

    /// (b, in, h, w), and the time embedding (b, time) in a model that has one → (b, out, h, w).
    pub(crate) fn forward(&self, x: &Tensor, emb: Option<&Tensor>, adapters: &Adapters<'_>) -> Tensor {
        // 1. first convolution
        let h = self.conv1.forward(&self.act.forward(&self.norm1.forward(x)), adapters);
        // 2. time, second norm
        let h = match self.time_emb_proj.as_ref().zip(emb) {
            Some((proj, emb)) => self.join(&h, &proj.forward(&self.act.forward(emb), adapters)),
            None => self.norm2.forward(&h),
        };
        // 3. second convolution
        let h = self.conv2.forward(&self.act.forward(&h), adapters);
        // 4. shortcut
        let sum = match &self.conv_shortcut {
            Some(conv) => conv.forward(x, adapters) + h,
            None => x + h,
        };
        if self.output_scale_factor == 1.0 { sum } else { sum / self.output_scale_factor }
    }

    /// The second norm with the time embedding (b, out or 2·out).
    fn join(&self, h: &Tensor, time: &Tensor) -> Tensor {
        let time = time.unsqueeze(-1).unsqueeze(-1);
        match self.time_scale_shift {
            TimeScaleShift::Default => self.norm2.forward(&(h + time)),
            TimeScaleShift::ScaleShift => {
                let scale_shift = time.chunk(2, 1);
                self.norm2.forward(h) * (&scale_shift[0] + 1.0) + &scale_shift[1]
            }
        }
    }
}
