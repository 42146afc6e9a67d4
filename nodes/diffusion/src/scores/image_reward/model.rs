//! Both towers and the head.

use super::ImageRewardConfig;
use super::text::TextEncoder;
use super::vision::VisionTransformer;
use crate::scores::head::Head;
use tch::{Kind, Tensor, nn};

/// The networks of an ImageReward.
#[derive(Debug)]
pub struct ImageRewardModel {
    visual_encoder: VisionTransformer,
    text_encoder: TextEncoder,
    mlp: Head,
}

impl ImageRewardModel {
    /// A model whose variables are in `vs`, not yet numbers, under the keys of the published file. The towers have the
    /// dtype of `vs`, the head is in float32.
    pub fn new(vs: &nn::Path<'_>, config: &ImageRewardConfig) -> Self {
        let (blip, mut head) = (vs / "blip", vs / "mlp");
        let visual_encoder = VisionTransformer::new(&(&blip / "visual_encoder"), config);
        let text_encoder = TextEncoder::new(&(&blip / "text_encoder"), config);
        let mlp = Head::new(&head, config.text.hidden_size);
        // It costs nothing, and its rounding would hide what tells two pictures apart.
        head.set_kind(Kind::Float);
        Self { visual_encoder, text_encoder, mlp }
    }

    /// Normalised pictures (b, 3, image_size, image_size), and of each one's caption the ids and which of them are no
    /// padding, (b, n) → what the head says (b), in float32.
    pub fn forward(&self, pixels_bchw: &Tensor, ids_bn: &Tensor, mask_bn: &Tensor) -> Tensor {
        let picture = self.visual_encoder.forward(pixels_bchw);
        let states = self.text_encoder.forward(ids_bn, mask_bn, &picture);
        self.mlp.forward(&states.select(1, 0).to_kind(Kind::Float))
    }

    /// Normalised pictures → the class token of the image tower (b, width), in float32.
    pub fn picture_features(&self, pixels_bchw: &Tensor) -> Tensor {
        self.visual_encoder.forward(pixels_bchw).select(1, 0).to_kind(Kind::Float)
    }
}
