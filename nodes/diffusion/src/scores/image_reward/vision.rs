//! BLIP's image tower: a vision transformer, in timm's names.

use super::ImageRewardConfig;
use super::config::TowerConfig;
use crate::layers::{Attended, Conv2d, ConvConfig, LayerNorm, Linear, attend, variable};
use crate::lora::Adapters;
use tch::{Tensor, nn};

const EPS: f64 = 1e-6;

/// `visual_encoder`
#[derive(Debug)]
pub(super) struct VisionTransformer {
    cls_token: Tensor,
    pos_embed: Tensor,
    patch_embed: Conv2d,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl VisionTransformer {
    pub(super) fn new(vs: &nn::Path<'_>, config: &ImageRewardConfig) -> Self {
        let (width, side) = (config.vision.hidden_size, config.patch_size);
        let patches = ConvConfig { kernel: side, stride: side, padding: 0 };
        let blocks = (0..config.vision.num_hidden_layers).map(|i| Block::new(&(vs / "blocks" / i), &config.vision));
        Self {
            cls_token: variable(vs, "cls_token", &[1, 1, width]),
            pos_embed: variable(vs, "pos_embed", &[1, config.positions(), width]),
            patch_embed: Conv2d::new(&(vs / "patch_embed" / "proj"), 3, width, patches),
            blocks: blocks.collect(),
            norm: LayerNorm::new(&(vs / "norm"), width, EPS),
        }
    }

    /// Normalised pictures (b, 3, image_size, image_size) → states (b, 1 + patches, width), the class token first.
    pub(super) fn forward(&self, pixels_bchw: &Tensor) -> Tensor {
        let patches = self.patch_embed.forward(&pixels_bchw.to_kind(self.pos_embed.kind()), &Adapters::none());
        let class = self.cls_token.expand([pixels_bchw.size()[0], 1, -1], false);
        let x = Tensor::cat(&[class, patches.flatten(2, 3).transpose(1, 2)], 1) + &self.pos_embed;
        self.norm.forward(&self.blocks.iter().fold(x, |x, block| block.forward(&x)))
    }
}

/// `blocks.N`
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: i64,
}

impl Block {
    fn new(vs: &nn::Path<'_>, config: &TowerConfig) -> Self {
        let (width, inner, attn, mlp) = (config.hidden_size, config.intermediate_size, vs / "attn", vs / "mlp");
        Self {
            norm1: LayerNorm::new(&(vs / "norm1"), width, EPS),
            qkv: Linear::new(&(&attn / "qkv"), width, 3 * width, true),
            proj: Linear::new(&(&attn / "proj"), width, width, true),
            norm2: LayerNorm::new(&(vs / "norm2"), width, EPS),
            fc1: Linear::new(&(&mlp / "fc1"), width, inner, true),
            fc2: Linear::new(&(&mlp / "fc2"), inner, width, true),
            heads: config.heads(),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.attention(&self.norm1.forward(x));
        let base = &Adapters::none();
        let inner = self.fc1.forward(&self.norm2.forward(&x), base).gelu("none");
        &x + self.fc2.forward(&inner, base)
    }

    /// (b, n, width) → the same shape.
    fn attention(&self, x: &Tensor) -> Tensor {
        let base = &Adapters::none();
        let qkv = self.qkv.forward(x, base).unflatten(2, [3, self.heads, -1]).permute([2, 0, 3, 1, 4]);
        let (q, k, v) = (qkv.get(0), qkv.get(1), qkv.get(2));
        let h_bhnd = attend(&q, &k, &v, Attended::All);
        self.proj.forward(&h_bhnd.transpose(1, 2).flatten(2, 3), base)
    }
}
