//! The student's pictures: its own few steps without gradient, then one with it.

use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::sample::Painter;
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::ScoreDistill;
use tch::Tensor;

use crate::NodeError;
use crate::distilling::paint;
use crate::training::Draw;

/// The end of the trajectory.
pub(super) const END: i64 = -1;

/// How the student draws while it is trained.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    denoiser: Denoiser<'a>,
    /// Steps that there may be, one of them for each batch.
    steps: Vec<usize>,
    sampler: Sampler,
    /// Where the first step starts.
    timestep: i64,
}

/// The sample (b, c, h, w) that the student is to predict the picture from.
#[derive(Debug)]
pub(super) struct Start {
    x: Tensor,
    t: i64,
    /// Whether it is the noise itself.
    pub(super) is_noise: bool,
}

/// The student's pictures (b, c, h, w), with what they were drawn from.
pub(super) struct Drawn {
    pub(super) x: Tensor,
    pub(super) noise: Tensor,
    pub(super) conditions: Conditions,
    /// The positions of the captions (b).
    pub(super) captions: Tensor,
    /// The positions of those that are told their caption; none where all are.
    pub(super) own: Option<Tensor>,
    pub(super) in_one_step: bool,
}

impl<'a> Rollout<'a> {
    pub(super) fn new(denoiser: Denoiser<'a>, params: &ScoreDistill) -> Self {
        let steps = params.rollouts.iter().map(|steps| steps.index()).collect();
        Self { denoiser, steps, sampler: paint::sampler(params.sampler), timestep: params.timestep.get() }
    }

    /// The sample before a random step of a random number of steps, by the student's own steps from `noise`.
    pub(super) fn start(
        &self,
        draw: &Draw<'_>,
        noise: &Tensor,
        conditions: &Conditions,
        student: &Adapters<'_>,
    ) -> Result<Start, NodeError> {
        let mut rng = draw.rng("rollout");
        let steps = self.steps[rng.below(0, self.steps.len() as i64) as usize];
        let step = rng.below(0, steps as i64) as usize;
        if step == 0 {
            return Ok(Start { x: noise.shallow_clone(), t: self.timestep, is_noise: true });
        }
        let plan = self.sampler.plan(self.denoiser.schedule, steps)?;
        let painter = Painter { denoiser: self.denoiser, plan: &plan, adapters: student, guidance: None };
        let fresh = |i: usize, x: &Tensor| draw.randn(&format!("rollout/{i}"), &x.size()[1..]);
        let x = painter.advance_with(&plan.start(noise), conditions, step, fresh);
        Ok(Start { x: plan.model_input(&x, step), t: plan.timestep(step) as i64, is_noise: false })
    }

    /// What the student predicts there.
    pub(super) fn picture<'t>(
        &self,
        tape: &Tape<'t>,
        start: &Start,
        conditions: &Conditions,
        student: &Adapters<'t>,
    ) -> Tensor
    where
        'a: 't,
    {
        let output = self.denoiser.output_on(tape, &start.x, start.t, conditions, student);
        let (x, t, schedule) = (start.x.shallow_clone(), start.t, self.denoiser.schedule);
        let [picture] = tape.run([&output], move |[output]| [schedule.jump(output, &x, t, END)]);
        picture
    }

    /// What the student draws from noise in one step.
    pub(super) fn in_one_step<'t>(
        &self,
        tape: &Tape<'t>,
        noise: &Tensor,
        conditions: &Conditions,
        student: &Adapters<'t>,
    ) -> Tensor
    where
        'a: 't,
    {
        let start = Start { x: noise.shallow_clone(), t: self.timestep, is_noise: true };
        self.picture(tape, &start, conditions, student)
    }
}
