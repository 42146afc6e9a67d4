//! `ScoreDistill`.

use super::consistency::{Distance, Weighting, huber};
use crate::bounded::int;
use crate::kinds::training::{distillation_kind, training_kind};
use crate::{Amount, Count, Int, NonNegative, Positive, Ref, SolverSteps, Steps, types};

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

fn timestep() -> Int<1, 999> {
    Int::new(999).expect("in range")
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

fn jump() -> Weighting {
    Weighting::Jump
}

fn fake_lr() -> Positive {
    Positive::new(1e-3).expect("in range")
}
