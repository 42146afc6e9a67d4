//! `SegmentDistill`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adversarial::Adversarial;
use super::consistency::{Distance, Target, Weighting, huber};
use crate::bounded::int;
use crate::kinds::Problem;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{NonNegative, Ref, SolverSteps, types};

/// Which consistency the student learns. All take the teacher's guided solver step from a point of the grid to the one
/// before, and bring student and target to one place; they differ in that place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// Any earlier point of the same segment: trajectory segmented consistency distillation (Hyper-SD, eq. 7–9).
    #[default]
    Tscd,
    /// Any earlier point at all: trajectory consistency distillation (TCD, arXiv 2402.19159, §4.1), which is `Tscd` with one
    /// segment from the first stage on.
    Tcd,
    /// The end of the trajectory, by a consistency function that is the identity at timestep 0: latent consistency
    /// distillation (LCM, arXiv 2310.04378, eq. 9). Its skipping step is the 1,000 timesteps over `solver_steps`. Sampled with
    /// `Lcm`.
    Lcm,
    /// The start of the segment: phased consistency distillation (PCM, arXiv 2405.18407, §3.1), with as many phases.
    Pcm,
}

impl Method {
    /// Whether it takes the trajectory as a whole.
    fn is_of_one_segment(self) -> bool {
        matches!(self, Self::Tcd | Self::Lcm)
    }
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
        /// Which consistency the student learns.
        #[serde(default)]
        method: Method,
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
        /// Adds to the noise of each channel of a sample one number for all its positions, this many times a standard normal
        /// one: the student then also learns to change a picture's brightness as a whole. 0 is none; 0.05 to 0.1 is common.
        #[serde(default = "zero")]
        offset_noise: NonNegative,
        /// The adversarial term; none when absent. The paper has it at 2 segments and 1.
        #[serde(default)]
        adversarial: Option<Adversarial>,
    }
}

impl SegmentDistill {
    pub(in crate::kinds) fn problems(&self) -> Vec<Problem> {
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
        if self.method.is_of_one_segment() && self.segments.get() != 1 {
            problems.push(Problem {
                field: "segments",
                message: format!(
                    "`{:?}` takes the trajectory as a whole, not {} segments",
                    self.method,
                    self.segments.get()
                ),
                help: "write `segments: 1`, or `method: Tscd`".into(),
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

fn guidance_range() -> (NonNegative, NonNegative) {
    (NonNegative::new(5.0).expect("in range"), NonNegative::new(9.0).expect("in range"))
}

fn zero() -> NonNegative {
    NonNegative::new(0.0).expect("in range")
}

fn uniform() -> Weighting {
    Weighting::Uniform
}

fn target() -> Target {
    Target::Ema
}
