//! A model's style, before it is distilled: learnt from pictures, and put into the weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lora::loras_problems;
use super::training::{distillation_kind, training_kind};
use super::{Problem, SnrWeighting};
use crate::{NonNegative, Ref, types};

distillation_kind! {
    /// A plain LoRA that learns a subject or a style from pictures and captions, in as many steps as the model takes.
    ///
    /// It minimises the denoising loss that the model was trained by (DDPM, arXiv 2006.11239, eq. 14, in the space of what
    /// the model predicts). To distil what it has learnt, put it into the model by `LoraFuse`.
    FinetuneLora {
        /// The frozen model; its output is the base that the LoRA adapts.
        model: Ref<types::Model>,
        /// Pictures and captions: the `Dataset` itself where the model draws pixels, its `Latents` where it has a VAE.
        data: Ref<types::Pictures>,
        /// The LoRA to go on training; without it a fresh one starts as the model.
        #[serde(default)]
        lora: Option<Ref<types::Lora>>,
        /// How much each sample counts.
        #[serde(default)]
        weighting: SnrWeighting,
        /// Adds to the noise of each channel of a sample one number for all its positions, this many times a standard normal
        /// one: brightness as a whole is then learnt too. 0 is none; 0.05 to 0.1 is common.
        #[serde(default = "zero")]
        offset_noise: NonNegative,
    }
}

/// A model with LoRAs in its weights, those of the text encoders, too: what it then draws, it can be distilled to draw in few
/// steps.
///
/// Yields a model folder in the number format of the given one. What rounding to it takes from the LoRAs is reported.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraFuse {
    /// The model.
    pub model: Ref<types::Model>,
    /// The LoRAs and their weights.
    pub loras: Vec<(Ref<types::Lora>, f64)>,
}

impl LoraFuse {
    pub(super) fn problems(&self) -> Vec<Problem> {
        loras_problems(&self.loras)
    }
}

fn zero() -> NonNegative {
    NonNegative::new(0.0).expect("in range")
}
