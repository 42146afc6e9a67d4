//! The three distillation kinds. All train LoRA adapters over one frozen base.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::training::{distillation_kind, training_kind};
use crate::bounded::int;
use crate::{Amount, Count, Int, NonNegative, Positive, Ref, SolverSteps, Steps, types};

/// How far apart two points are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Distance {
    /// Mean squared difference.
    Mse,
    /// Pseudo-Huber √(d² + c²) − c with this c, on each value.
    Huber(Positive),
}

/// How much each sample of a consistency loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weighting {
    /// All alike: long jumps, which multiply the network's errors, count most. Best for few segments' first steps.
    Uniform,
    /// By 1 over how much the jump multiplies the network's output: long and short jumps count alike, which keeps
    /// 4 and 8 steps tight.
    Jump,
}

/// Which network makes the consistency target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Target {
    /// The moving average of the student (`ema` is its decay).
    Ema,
    /// The student itself, without gradient.
    StopGrad,
}

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
    /// Trajectory segmented consistency distillation (Hyper-SD, §3.1): one stage.
    ///
    /// The teacher's trajectory is cut into `segments` pieces; the student learns to jump from any point to
    /// any earlier point of the same piece. Stages go 8 → 4 → 2 → 1, each from the LoRA of the one before.
    SegmentDistill {
        /// The frozen model that is distilled; its output is the base that the LoRA adapts.
        teacher: Ref<types::Model>,
        /// Pictures and captions: the `Dataset` itself where the teacher draws pixels, its `Latents` where it has a VAE.
        data: Ref<types::Pictures>,
        /// The LoRA to go on training; without it a fresh one starts as the teacher.
        #[serde(default)]
        student: Option<Ref<types::Lora>>,
        /// Segments k of the trajectory.
        segments: SolverSteps,
        /// Points N of the solver grid. 40 puts segment boundaries on the "trailing" grid (999, 874, 749, …),
        /// 50 on TCD's; 200 holds both. Above 666 two points would share a timestep.
        #[serde(default = "int::solver_steps::<40>")]
        solver_steps: SolverSteps,
        /// Range of the teacher's guidance scale w in ε_u + w·(ε_c − ε_u): drawn evenly for each sample. 1 is no guidance.
        #[serde(default = "guidance_range")]
        guidance: (NonNegative, NonNegative),
        /// Distance between prediction and target.
        #[serde(default = "huber")]
        distance: Distance,
        /// How much each sample counts.
        #[serde(default = "uniform")]
        weighting: Weighting,
        /// Which network makes the target.
        #[serde(default = "target")]
        target: Target,
    }
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

distillation_kind! {
    /// Score distillation for one step (Hyper-SD, §3.3; DMD, arXiv 2311.18828).
    ///
    /// The student draws in one step; the difference of the teacher's and an online-trained fake score at a
    /// noised picture moves it. With `consistency` the other step counts are kept: the unified LoRA.
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
        /// Weight of the one-step score distillation loss.
        #[serde(default = "one_non_negative")]
        score: NonNegative,
        /// Timestep at which the one-step picture starts. 999 for a LoRA that serves every step count.
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
        /// the start, draws from the same noise in `anchor_steps`: the stabilising term of the paper.
        #[serde(default = "zero")]
        anchor: NonNegative,
        /// Steps of the pictures that `anchor` pulls to.
        #[serde(default = "int::steps::<4>")]
        anchor_steps: Steps,
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
    }
}

impl SegmentDistill {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.segments > self.solver_steps {
            problems.push(Problem {
                field: "segments",
                message: format!(
                    "{} segments do not fit on a grid of {} solver steps",
                    self.segments.get(),
                    self.solver_steps.get()
                ),
                help: "raise `solver_steps`, best to a multiple of `segments`".into(),
            });
        }
        if self.guidance.0 > self.guidance.1 {
            problems.push(Problem {
                field: "guidance",
                message: format!("the range {}..{} is empty", self.guidance.0.get(), self.guidance.1.get()),
                help: "write the smaller number first".into(),
            });
        }
        problems
    }
}

impl RewardFinetune {
    pub(super) fn problems(&self) -> Vec<Problem> {
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

fn timestep() -> Int<1, 999> {
    Int::new(999).expect("in range")
}

fn one() -> f64 {
    1.0
}

fn one_non_negative() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn zero() -> NonNegative {
    NonNegative::new(0.0).expect("in range")
}

fn guidance() -> NonNegative {
    NonNegative::new(7.5).expect("in range")
}

fn guidance_range() -> (NonNegative, NonNegative) {
    (NonNegative::new(5.0).expect("in range"), NonNegative::new(9.0).expect("in range"))
}

fn huber() -> Distance {
    Distance::Huber(Positive::new(1e-3).expect("in range"))
}

fn uniform() -> Weighting {
    Weighting::Uniform
}

fn jump() -> Weighting {
    Weighting::Jump
}

fn target() -> Target {
    Target::Ema
}

fn fake_lr() -> Positive {
    Positive::new(1e-3).expect("in range")
}

fn rollouts() -> Vec<Steps> {
    vec![int::steps::<1>(), int::steps::<2>(), int::steps::<4>(), int::steps::<8>()]
}
