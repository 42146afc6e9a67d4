//! `RewardFinetune`.

use super::Perception;
use super::reward::Reward;
use crate::bounded::int;
use crate::kinds::Problem;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{NonNegative, Ref, Steps, types};

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
        /// Whether a frozen network still finds the object where the pictures' masks have it.
        #[serde(default)]
        perception: Option<Perception>,
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
        problems.extend(self.perception.as_ref().and_then(|perception| perception.problem(&self.rollouts)));
        problems
    }
}

fn one_non_negative() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn rollouts() -> Vec<Steps> {
    vec![int::steps::<1>(), int::steps::<2>(), int::steps::<4>(), int::steps::<8>()]
}
