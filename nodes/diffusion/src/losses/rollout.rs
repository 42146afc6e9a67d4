//! The picture that a reward judges (ReFL, arXiv 2304.05977, algorithm 1), of a student that draws in few steps.

use super::Denoiser;
use crate::lora::Adapters;
use crate::rng::Rng;
use crate::sample::Painter;
use crate::schedulers::SamplingPlan;
use crate::{Conditions, Tape};
use tch::{Tensor, no_grad};

/// A student on its way through the steps of a sampler, one of which has a gradient.
#[derive(Debug)]
pub struct Rollout<'a> {
    /// The network and its schedule.
    pub denoiser: Denoiser<'a>,
    /// The student as it draws.
    pub student: Adapters<'a>,
    /// The same as it is trained: with dropout, if there is any.
    pub trained: Adapters<'a>,
    /// The student as it was before feedback, where its prediction is asked for.
    pub frozen: Option<Adapters<'a>>,
}

impl<'a> Rollout<'a> {
    /// The x̂0 (b, c, h, w) that the student predicts at step `step` of a sampler, with gradient, and the one that it predicted there
    /// before feedback, if that is asked for: both at the point that the student has come to from `noise` without gradient.
    pub fn samples(
        &self,
        tape: &Tape<'a>,
        plan: &SamplingPlan<'_>,
        step: usize,
        noise: &Tensor,
        conditions: &Conditions,
        rng: &mut Rng,
    ) -> (Tensor, Option<Tensor>) {
        let Self { denoiser, .. } = *self;
        let painter = Painter { denoiser, plan, adapters: &self.student, guidance: None };
        let x = painter.advance(&plan.start(noise), conditions, step, rng);
        let t = plan.timestep(step) as i64;
        let own = denoiser.output_on(tape, &plan.model_input(&x, step), t, conditions, &self.trained);
        let schedule = denoiser.schedule;
        let before = self.frozen.as_ref().map(|frozen| {
            let frozen = Painter { adapters: frozen, ..painter };
            no_grad(|| schedule.prediction(&frozen.output(&x, step, conditions), &x, t).x0)
        });
        let [own] = tape.run([&own], move |[own]| [schedule.prediction(own, &x, t).x0]);
        (own, before)
    }
}
