//! The adversarial term that several kinds share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::int;
use crate::{Amount, Count, NonNegative, Positive};

/// What tells real samples from the student's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Discriminator {
    /// Small convolutional heads on the features of every block of the frozen teacher (PCM, arXiv 2405.18407): nothing of the
    /// teacher is copied.
    #[default]
    Heads,
    /// A trained copy of the teacher's encoder and middle block with a small head: the paper's choice, from
    /// SDXL-Lightning (arXiv 2402.13929). Takes the memory of half a UNet in fp32, four times: weights, gradients and AdamW.
    Encoder,
}

/// An adversarial term with a hinge loss beside the distance: student and discriminator are trained in turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adversarial {
    /// Weight of ReLU(1 − D(fake)) in the student's loss. When absent by the number of segments: 0 with four and more, 0.1
    /// with two and three, 0.2 with one. (Hyper-SD: the distance alone is better at 8 and 4, the adversarial term at 2 and 1;
    /// it gives no numbers. Flash Diffusion: 0, 0.1, 0.2, 0.3 over its stages; PCM: 0.1.) With 0 there is no discriminator.
    #[serde(default)]
    pub weight: Option<NonNegative>,
    /// What tells real samples from the student's.
    #[serde(default)]
    pub discriminator: Discriminator,
    /// Learning rate of the discriminator, which does not decay. Its AdamW has β = (0, 0.999). PCM has 1e-5 for Stable
    /// Diffusion; 1e-3 suits the small models here.
    #[serde(default = "lr")]
    pub lr: Positive,
    /// Updates of the discriminator before each update of the student.
    #[serde(default = "int::count::<1>")]
    pub updates: Count,
    /// Further updates of the discriminator before the student's first: a fresh one says nothing.
    #[serde(default = "int::amount::<0>")]
    pub warmup: Amount,
}

impl Adversarial {
    /// The weight with so many segments.
    pub fn weight(&self, segments: i64) -> f64 {
        let by_stage = match segments {
            ..=1 => 0.2,
            2..=3 => 0.1,
            _ => 0.0,
        };
        self.weight.map_or(by_stage, NonNegative::get)
    }
}

fn lr() -> Positive {
    Positive::new(1e-3).expect("in range")
}
