//! A small convolutional segmentation network, which TrainSegmenter trains from nothing.

use super::Segment;
use crate::layers::{Conv2d, ConvConfig};
use crate::lora::Adapters;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

/// Its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvSegmenterConfig {
    /// Channels of a picture.
    pub channels: i64,
    /// Channels at the pictures' own size; each halving of the side doubles them.
    pub width: i64,
    /// How often the side is halved.
    pub levels: i64,
}

/// U-Net (arXiv 1505.04597) with one convolution where that has two: on the way down each level hands its features to the
/// level of its size on the way up.
#[derive(Debug)]
pub struct ConvSegmenter {
    channels: i64,
    stem: Conv2d,
    down: Vec<Conv2d>,
    /// From the coarsest to the finest.
    up: Vec<Conv2d>,
    out: Conv2d,
}

const HALVE: ConvConfig = ConvConfig { kernel: 3, stride: 2, padding: 1 };

impl ConvSegmenter {
    /// Makes the variables in an empty store.
    pub fn new(vs: &nn::VarStore, config: &ConvSegmenterConfig) -> Self {
        let root = &vs.root();
        let width = |level: i64| config.width << level;
        let down = |level| Conv2d::new(&(root / "down" / level), width(level), width(level + 1), HALVE);
        // Takes what comes from below beside what the way down left here.
        let up = |level| {
            Conv2d::new(&(root / "up" / level), width(level + 1) + width(level), width(level), ConvConfig::SAME_3)
        };
        Self {
            channels: config.channels,
            stem: Conv2d::new(&(root / "stem"), config.channels, width(0), ConvConfig::SAME_3),
            down: (0..config.levels).map(down).collect(),
            up: (0..config.levels).rev().map(up).collect(),
            out: Conv2d::new(&(root / "out"), width(0), 1, ConvConfig::POINT),
        }
    }
}

impl Segment for ConvSegmenter {
    fn channels(&self) -> i64 {
        self.channels
    }

    fn logits(&self, pictures: &Tensor) -> Tensor {
        let base = &Adapters::none();
        let mut x = self.stem.forward(&pictures.to_kind(Kind::Float), base).silu();
        let mut left = Vec::new();
        for down in &self.down {
            let coarser = down.forward(&x, base).silu();
            left.push(std::mem::replace(&mut x, coarser));
        }
        for (up, left) in self.up.iter().zip(left.iter().rev()) {
            // To the size on the way down: halving rounds up.
            let finer = x.upsample_nearest2d(&left.size()[2..], None, None);
            x = up.forward(&Tensor::cat(&[&finer, left], 1), base).silu();
        }
        self.out.forward(&x, base)
    }
}
