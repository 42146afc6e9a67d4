//! `SegmentDistill`.

use super::consistency::{Distance, Target, Weighting, huber};
use crate::bounded::int;
use crate::kinds::Problem;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{NonNegative, Ref, SolverSteps, types};

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

fn uniform() -> Weighting {
    Weighting::Uniform
}

fn target() -> Target {
    Target::Ema
}
