//! What human feedback rewards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{NonNegative, Ref, types};

/// A score of pictures that the student is trained to raise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Reward {
    /// Cosine similarity of picture and caption in a CLIP, from −1 to 1. In PickScore's CLIP, of which good pictures have
    /// about 0.22, this is PickScore.
    Clip {
        /// The CLIP.
        model: Ref<types::Clip>,
        /// Weight of ReLU(threshold − reward) in the loss.
        weight: NonNegative,
        /// Above it the reward pulls no more (α in the paper).
        #[serde(default = "one")]
        threshold: f64,
    },
    /// A score with a network of its own.
    Score {
        /// ImageReward or the aesthetic predictor.
        model: Ref<types::Scorer>,
        /// Weight of ReLU(threshold − reward) in the loss. ReFL, ImageReward's own training, has 0.001.
        weight: NonNegative,
        /// Above it the reward pulls no more (α in the paper, which gives no numbers): 2 in ReFL, for ImageReward is
        /// standardised; for aesthetic marks, from about 1 to 10, something above what the student has, say 7.
        threshold: f64,
    },
    /// Log-probability of the caption's class in a classifier, at most 0: how surely the picture is read as what its caption
    /// says. (The probability itself would give no gradient to a picture that is read as something else.)
    Classifier {
        /// The classifier; every caption must be one of its classes.
        model: Ref<types::Classifier>,
        /// Weight of ReLU(threshold − reward) in the loss.
        weight: NonNegative,
        /// Above it the reward pulls no more: −0.05 is a probability of 0.95.
        #[serde(default = "zero")]
        threshold: f64,
    },
    /// Mean brightness, 0 for black and 1 for white: no feedback at all, but a reward that is sure to be hacked, to see what a
    /// `guard` does.
    Brightness {
        /// Weight of ReLU(threshold − reward) in the loss.
        weight: NonNegative,
        /// Above it the reward pulls no more.
        #[serde(default = "one")]
        threshold: f64,
    },
}

impl Reward {
    /// Its weight in the loss.
    pub fn weight(&self) -> NonNegative {
        match self {
            Self::Clip { weight, .. }
            | Self::Score { weight, .. }
            | Self::Classifier { weight, .. }
            | Self::Brightness { weight, .. } => *weight,
        }
    }

    /// The node or port of its network; brightness has none.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Clip { model, .. } => Some(model.name()),
            Self::Score { model, .. } => Some(model.name()),
            Self::Classifier { model, .. } => Some(model.name()),
            Self::Brightness { .. } => None,
        }
    }

    /// Above it the reward pulls no more.
    pub fn threshold(&self) -> f64 {
        match self {
            Self::Clip { threshold, .. }
            | Self::Score { threshold, .. }
            | Self::Classifier { threshold, .. }
            | Self::Brightness { threshold, .. } => *threshold,
        }
    }
}

fn one() -> f64 {
    1.0
}

fn zero() -> f64 {
    0.0
}
