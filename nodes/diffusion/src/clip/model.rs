//! Both towers and their joint space.

use super::ClipConfig;
use super::encoder::base;
use super::text::{ClipTextOutput, TextTower};
use super::vision::VisionTower;
use crate::layers::{Linear, variable};
use tch::{Kind, Tensor, nn};

/// What CLIP makes of captions and pictures.
#[derive(Debug)]
pub struct ClipOutput {
    /// Captions in the joint space, (captions, projection), of length 1.
    pub text_embeds: Tensor,
    /// Pictures in the joint space, (pictures, projection), of length 1.
    pub image_embeds: Tensor,
    /// Cosines times the learnt scale, (captions, pictures).
    pub logits_per_text: Tensor,
}

/// `CLIPModel`
#[derive(Debug)]
pub struct ClipModel {
    text_model: TextTower,
    vision_model: VisionTower,
    text_projection: Linear,
    visual_projection: Linear,
    logit_scale: Tensor,
}

impl ClipModel {
    /// A model whose variables are in `vs`, not yet numbers.
    pub fn new(vs: &nn::Path<'_>, config: &ClipConfig) -> Self {
        let (text, vision, joint) = (&config.text_config, &config.vision_config, config.projection_dim);
        Self {
            text_model: TextTower::new(&(vs / "text_model"), text),
            vision_model: VisionTower::new(&(vs / "vision_model"), vision),
            text_projection: Linear::new(&(vs / "text_projection"), text.hidden_size, joint, false),
            visual_projection: Linear::new(&(vs / "visual_projection"), vision.hidden_size, joint, false),
            logit_scale: variable(vs, "logit_scale", &[]),
        }
    }

    /// The text tower alone: token ids (b, n) → its output.
    pub fn text(&self, ids_bn: &Tensor) -> ClipTextOutput {
        self.text_model.forward(ids_bn)
    }

    /// Token ids (b, n) → captions in the joint space (b, projection), of any length.
    pub fn text_features(&self, ids_bn: &Tensor) -> Tensor {
        base(&self.text_projection, &self.text_model.forward(ids_bn).pooled)
    }

    /// Normalised pictures (b, c, h, w) → pictures in the joint space (b, projection), of any length.
    pub fn image_features(&self, pixels_bchw: &Tensor) -> Tensor {
        base(&self.visual_projection, &self.vision_model.forward(pixels_bchw).pooled)
    }

    /// The factor on cosines that contrastive training learns: `exp(logit_scale)`.
    pub fn scale(&self) -> Tensor {
        self.logit_scale.exp()
    }

    /// Every caption against every picture.
    pub fn forward(&self, ids_bn: &Tensor, pixels_bchw: &Tensor) -> ClipOutput {
        let text_embeds = unit(&self.text_features(ids_bn));
        let image_embeds = unit(&self.image_features(pixels_bchw));
        let logits_per_text = text_embeds.matmul(&image_embeds.tr()) * self.scale();
        ClipOutput { text_embeds, image_embeds, logits_per_text }
    }
}

fn unit(x: &Tensor) -> Tensor {
    x / x.square().sum_dim_intlist(-1i64, true, None::<Kind>).sqrt()
}
