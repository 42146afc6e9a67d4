//! `RewardFinetune`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Perception;
use super::guard::Guard;
use super::reward::Reward;
use crate::bounded::int;
use crate::kinds::Problem;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{NonNegative, Ref, Steps, types};

/// Which step of a roll-out has the gradient: the picture that is predicted there is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GradientStep {
    /// One of them, drawn anew for each batch.
    Any,
    /// The last, whose picture is the one that the student yields.
    Last,
    /// This one, counted from 1; no roll-out may have fewer.
    At(Steps),
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
        /// Which step of a roll-out has the gradient.
        #[serde(default = "any", skip_serializing_if = "is_any")]
        step: GradientStep,
        /// Weight of the mean squared distance to the picture that the frozen student draws in the same step:
        /// keeps the delta from spoiling what the reward does not see.
        #[serde(default = "one_non_negative")]
        anchor: NonNegative,
        /// Whether a frozen network still finds the object where the pictures' masks have it.
        #[serde(default)]
        perception: Option<Perception>,
        /// Watches for rewards that are hacked, and stops in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<Guard>,
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
        problems.extend(self.step_problem());
        problems.extend(self.guard_problem());
        problems.extend(self.empty_captions_problem());
        problems
    }

    /// What is drawn without a caption has no reward: something else must hold it.
    fn empty_captions_problem(&self) -> Option<Problem> {
        (!self.empty_captions.is_zero() && self.anchor.get() == 0.0).then(|| Problem {
            field: "empty_captions",
            message: "a sample without a caption is not rewarded, and nothing else is asked of it".into(),
            help: "hold it to the student's by `anchor`, or leave `empty_captions` out".into(),
        })
    }

    fn step_problem(&self) -> Option<Problem> {
        let GradientStep::At(step) = self.step else { return None };
        let shortest = self.rollouts.iter().min().filter(|shortest| **shortest < step)?;
        Some(Problem {
            field: "step",
            message: format!("a roll-out of {} has no step {}", shortest.get(), step.get()),
            help: "name a smaller one, or `Last`, or take the shorter ones out of `rollouts`".into(),
        })
    }

    fn guard_problem(&self) -> Option<Problem> {
        let watched = self.guard.as_ref()?.watch.name();
        let is_trained = self.rewards.iter().any(|reward| reward.model() == Some(watched));
        is_trained.then(|| Problem {
            field: "guard",
            message: format!("`{watched}` is trained on, and rises whether it is hacked or not"),
            help: "watch a score that no reward uses: another seed of the same kind is one".into(),
        })
    }
}

fn any() -> GradientStep {
    GradientStep::Any
}

fn is_any(step: &GradientStep) -> bool {
    *step == any()
}

fn one_non_negative() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn rollouts() -> Vec<Steps> {
    vec![int::steps::<1>(), int::steps::<2>(), int::steps::<4>(), int::steps::<8>()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(fields: &str) -> Vec<String> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let text = format!("(teacher: \"t\", student: \"s\", data: \"d\", steps: 1, {fields})");
        let kind: RewardFinetune = options.from_str(&text).unwrap();
        kind.problems().into_iter().map(|problem| problem.message).collect()
    }

    const REWARDS: &str = "rewards: [Brightness(weight: 1.0), Classifier(model: \"judge\", weight: 1.0)]";

    #[test]
    fn the_step_with_gradient_is_one_that_every_rollout_has() {
        assert!(messages(&format!("{REWARDS}, rollouts: [4, 2], step: At(2)")).is_empty());
        assert_eq!(messages(&format!("{REWARDS}, rollouts: [4, 2], step: At(3)")), ["a roll-out of 2 has no step 3"]);
    }

    #[test]
    fn a_guard_watches_what_no_reward_uses() {
        assert!(messages(&format!("{REWARDS}, guard: (watch: \"clip\")")).is_empty());
        let told = messages(&format!("{REWARDS}, guard: (watch: \"judge\")"));
        assert_eq!(told, ["`judge` is trained on, and rises whether it is hacked or not"]);
    }
}
