//! `ScoreDistill`.

use super::Reward;
use super::adversarial::Adversarial;
use super::consistency::{Distance, Weighting, huber};
use crate::bounded::int;
use crate::kinds::picture::{ddim, too_many_for};
use crate::kinds::training::{distillation_kind, training_kind};
use crate::kinds::{Problem, Sampler, SnrWeighting};
use crate::{Amount, Count, Int, NonNegative, Positive, Ref, SolverSteps, Steps, types};

distillation_kind! {
    /// Score distillation for one step or a few (Hyper-SD, §3.3; DMD, arXiv 2311.18828; DMD2, arXiv 2405.14867).
    ///
    /// The student draws; the difference of the teacher's and an online-trained fake score at a noised picture moves it.
    /// With `consistency` the other step counts are kept: the unified LoRA.
    ScoreDistill {
        /// The frozen model that is distilled: the real score.
        teacher: Ref<types::Model>,
        /// Pictures and captions: the `Dataset` itself where the teacher draws pixels, its `Latents` where it has a VAE.
        data: Ref<types::Pictures>,
        /// The LoRA to go on training; without it a fresh one starts as the teacher.
        #[serde(default)]
        student: Option<Ref<types::Lora>>,
        /// Guidance scale w of the teacher in ε_u + w·(ε_c − ε_u). 1 is no guidance.
        #[serde(default = "guidance")]
        guidance: NonNegative,
        /// Weight of the score distillation loss.
        #[serde(default = "one_non_negative")]
        score: NonNegative,
        /// Step counts that the student draws in, one of them for each batch. From a random one of its steps the picture
        /// is predicted with gradient; those before are the student's own, without (DMD2's backward simulation, §4.5).
        #[serde(default = "one_step")]
        rollouts: Vec<Steps>,
        /// How the student's own steps go on: `Lcm` noises each picture that it predicts anew, as DMD2 does.
        #[serde(default = "ddim")]
        sampler: Sampler,
        /// Timestep at which the one-step picture starts. 999 for a LoRA that serves every step count; 800 where an ε model is
        /// to draw in one step alone.
        #[serde(default = "timestep")]
        timestep: Int<1, 999>,
        /// Weight of the consistency loss (as `SegmentDistill` with one segment) on the other timesteps; 0 is plain
        /// one-step distillation.
        #[serde(default = "zero")]
        consistency: NonNegative,
        /// Points N of the consistency loss's solver grid.
        #[serde(default = "int::solver_steps::<40>")]
        solver_steps: SolverSteps,
        /// Distance of the consistency loss.
        #[serde(default = "huber")]
        distance: Distance,
        /// How much each sample of the consistency loss counts.
        #[serde(default = "jump")]
        weighting: Weighting,
        /// Weight of the mean squared distance between the one-step picture and the one that the student, as it was at
        /// the start, draws from the same noise in `anchor_steps`: the stabilising term of the paper. Of longer roll-outs the
        /// first step counts, which starts from noise too.
        #[serde(default = "zero")]
        anchor: NonNegative,
        /// Steps of the pictures that `anchor` pulls to.
        #[serde(default = "int::steps::<4>")]
        anchor_steps: Steps,
        /// Noise and pictures that `anchor` holds the one-step pictures to instead: what the teacher draws, in a batch of its
        /// own.
        #[serde(default)]
        pairs: Option<Ref<types::Pairs>>,
        /// Rewards of the pictures in the same step (Hyper-SD, §3.3), as those of `RewardFinetune`.
        #[serde(default)]
        rewards: Vec<Reward>,
        /// An adversarial term in the same step, on pictures that are noised as those of the scores are (DMD2, §4.3): real are
        /// the data's, of the same captions. Its weight is 0.2 where it says none.
        #[serde(default)]
        adversarial: Option<Adversarial>,
        /// Updates of the fake score before each update of the student.
        #[serde(default = "int::count::<5>")]
        fake_updates: Count,
        /// Further updates of the fake score before the student's first: it begins as the teacher, whose difference
        /// from the teacher says nothing.
        #[serde(default = "int::amount::<20>")]
        fake_warmup: Amount,
        /// Learning rate of the fake score; it does not decay.
        #[serde(default = "fake_lr")]
        fake_lr: Positive,
        /// How much each sample counts in the fake score's loss.
        #[serde(default, skip_serializing_if = "SnrWeighting::is_uniform")]
        fake_weighting: SnrWeighting,
    }
}

impl ScoreDistill {
    pub(in crate::kinds) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.rollouts.is_empty() {
            problems.push(Problem {
                field: "rollouts",
                message: "there is no step count to draw in".into(),
                help: "for example `rollouts: [1]`".into(),
            });
        }
        let too_many = self.rollouts.iter().filter_map(|steps| too_many_for("rollouts", self.sampler, steps.get()));
        problems.extend(too_many);
        if self.timestep != timestep() && self.rollouts.iter().any(|steps| steps.get() > 1) {
            problems.push(Problem {
                field: "timestep",
                message: format!("only drawing in one step can start at {}", self.timestep.get()),
                help: "leave it out, or draw in one step: `rollouts: [1]`".into(),
            });
        }
        if self.pairs.is_some() && self.anchor.get() == 0.0 {
            problems.push(Problem {
                field: "pairs",
                message: "nothing is held to them".into(),
                help: "say how much they count, for example `anchor: 0.25`".into(),
            });
        }
        problems
    }
}

fn one_step() -> Vec<Steps> {
    vec![int::steps::<1>()]
}

fn timestep() -> Int<1, 999> {
    Int::new(999).expect("in range")
}

fn one_non_negative() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn zero() -> NonNegative {
    NonNegative::new(0.0).expect("in range")
}

pub(super) fn guidance() -> NonNegative {
    NonNegative::new(7.5).expect("in range")
}

fn jump() -> Weighting {
    Weighting::Jump
}

fn fake_lr() -> Positive {
    Positive::new(1e-3).expect("in range")
}
