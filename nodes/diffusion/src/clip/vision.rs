//! The image tower: a vision transformer.

use super::ClipVisionConfig;
use super::encoder::{Encoder, EncoderConfig, base};
use crate::layers::{LayerNorm, Linear, conv2d, variable};
use tch::{Tensor, nn};

/// What the image tower makes of a batch of pictures.
#[derive(Debug)]
pub struct ClipVisionOutput {
    /// The last layer's states, (b, 1 + patches, width), the class token first. There is no norm after the last layer.
    pub last_hidden_state: Tensor,
    /// The class token's state after the norm, (b, width).
    pub pooled: Tensor,
    /// The encoder's input and then each layer's output: one more than layers.
    pub hidden_states: Vec<Tensor>,
}

/// `vision_model`
#[derive(Debug)]
pub(super) struct VisionTower {
    class_embedding: Tensor,
    patch_embedding: Tensor,
    position_embedding: Tensor,
    /// Spelt so in every published file.
    pre_layrnorm: LayerNorm,
    encoder: Encoder,
    post_layernorm: LayerNorm,
}

impl VisionTower {
    pub(super) fn new(vs: &nn::Path<'_>, config: &ClipVisionConfig) -> Self {
        let (embeddings, width, side) = (vs / "embeddings", config.hidden_size, config.patch_size);
        let weight = |name: &str, shape: &[i64]| variable(&(&embeddings / name), "weight", shape);
        Self {
            class_embedding: variable(&embeddings, "class_embedding", &[width]),
            patch_embedding: weight("patch_embedding", &[width, config.num_channels, side, side]),
            position_embedding: weight("position_embedding", &[config.positions(), width]),
            pre_layrnorm: LayerNorm::new(&(vs / "pre_layrnorm"), width, config.layer_norm_eps),
            encoder: Encoder::new(&(vs / "encoder"), encoder_config(config)),
            post_layernorm: LayerNorm::new(&(vs / "post_layernorm"), width, config.layer_norm_eps),
        }
    }

    pub(super) fn forward(&self, pixels_bchw: &Tensor) -> ClipVisionOutput {
        let hidden_states = self.encoder.forward(self.pre_layrnorm.forward(&self.embed(pixels_bchw)));
        let last_hidden_state = hidden_states[hidden_states.len() - 1].shallow_clone();
        let pooled = self.post_layernorm.forward(&last_hidden_state.select(1, 0));
        ClipVisionOutput { last_hidden_state, pooled, hidden_states }
    }

    /// (b, c, h, w) → (b, 1 + patches, width).
    fn embed(&self, pixels_bchw: &Tensor) -> Tensor {
        let side = self.patch_embedding.size()[3];
        let pixels = pixels_bchw.to_kind(self.patch_embedding.kind());
        let patches = conv2d(&pixels, &self.patch_embedding, None, side, 0);
        let class = self.class_embedding.expand([pixels.size()[0], 1, -1], false);
        Tensor::cat(&[class, patches.flatten(2, 3).transpose(1, 2)], 1) + &self.position_embedding
    }
}

fn encoder_config(config: &ClipVisionConfig) -> EncoderConfig {
    EncoderConfig {
        width: config.hidden_size,
        inner: config.intermediate_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        act: config.hidden_act,
        eps: config.layer_norm_eps,
        causal: false,
    }
}

/// `CLIPVisionModelWithProjection`: pictures into the joint space.
#[derive(Debug)]
pub struct ClipVisionModelWithProjection {
    vision_model: VisionTower,
    visual_projection: Linear,
}

impl ClipVisionModelWithProjection {
    /// A model whose variables are in `vs`, not yet numbers.
    pub fn new(vs: &nn::Path<'_>, config: &ClipVisionConfig) -> Self {
        let (width, joint) = (config.hidden_size, config.projection_dim);
        Self {
            vision_model: VisionTower::new(&(vs / "vision_model"), config),
            visual_projection: Linear::new(&(vs / "visual_projection"), width, joint, false),
        }
    }

    /// Pictures (b, c, `image_size`, `image_size`), normalised → the tower's output, and the projected pooled state
    /// (b, projection).
    pub fn forward(&self, pixels_bchw: &Tensor) -> (ClipVisionOutput, Tensor) {
        let output = self.vision_model.forward(pixels_bchw);
        let image_embeds = base(&self.visual_projection, &output.pooled);
        (output, image_embeds)
    }
}
