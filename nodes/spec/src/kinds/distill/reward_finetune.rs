//! `RewardFinetune`, and what it rewards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::int;
use crate::kinds::Problem;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{NonNegative, Ref, Steps, types};

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
}

distillation_kind! {
    /// Human feedback learning (Hyper-SD, §3.2): a LoRA that raises rewards, on top of a frozen student.
    ///
    /// The student draws in a few steps without gradient, then takes one step with gradient, whose picture
    /// the rewards judge. Yields only the delta, which `LoraMerge` adds to the student.
    RewardFinetune {
        /// The frozen model that the student adapts.
        teacher: Ref<types::Model>,
        /// The frozen LoRA that is improved.
        student: Ref<types::Lora>,
        /// Captions to draw: of a `Dataset` where the teacher draws pixels, of `Latents` where it has a VAE.
        data: Ref<types::Pictures>,
        /// What is rewarded.
        rewards: Vec<Reward>,
        /// Step counts of the roll-outs, one drawn for each batch.
        #[serde(default = "rollouts")]
        rollouts: Vec<Steps>,
        /// Weight of the mean squared distance to the picture that the frozen student draws in the same step:
        /// keeps the delta from spoiling what the reward does not see.
        #[serde(default = "one_non_negative")]
        anchor: NonNegative,
    }
}

impl RewardFinetune {
    pub(in crate::kinds) fn problems(&self) -> Vec<Problem> {
        let empty = |field: &'static str, help: &str| Problem {
            field,
            message: format!("`{field}` is empty"),
            help: help.into(),
        };
        let mut problems = Vec::new();
        if self.rewards.is_empty() {
            problems.push(empty("rewards", "name one, for example `rewards: [Clip(model: \"clip\", weight: 1.0)]`"));
        }
        if self.rollouts.is_empty() {
            problems.push(empty("rollouts", "name one, for example `rollouts: [1, 2, 4]`"));
        }
        problems
    }
}

fn one() -> f64 {
    1.0
}

fn one_non_negative() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn rollouts() -> Vec<Steps> {
    vec![int::steps::<1>(), int::steps::<2>(), int::steps::<4>(), int::steps::<8>()]
}
