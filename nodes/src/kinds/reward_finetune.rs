//! `RewardFinetune`: a LoRA that raises rewards, on top of a frozen student.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{Denoiser, Distance, Rollout};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_diffusion::{Conditions, Tape, send};
use hyper_flow_spec::kinds::{GradientStep, Precision, RewardFinetune};
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::decoder::Decoder;
use crate::artifacts::lora;
use crate::distilling::distillation::Distillation;
use crate::distilling::feedback::Judges;
use crate::distilling::guard::{Guard, Subject};
use crate::distilling::paint::Few;
use crate::distilling::perception::Perception;
use crate::distilling::student::Student;
use crate::training::{Conditioned, Draw, Gallery, Losses, Recipe, Told, train};
use crate::worker::Context;

struct Feedback<'a> {
    params: &'a RewardFinetune,
    denoiser: Denoiser<'a>,
    decoder: &'a Decoder,
    data: &'a Conditioned,
    judges: &'a Judges,
    perception: Option<Perception<'a>>,
    frozen: &'a Lora,
    delta: &'a Student,
    guard: Option<Guard<'a>>,
    seed: u64,
}

impl Feedback<'_> {
    /// The sample that one step with gradient predicts, and where there is an anchor the one that the frozen student predicts
    /// there: after a roll-out without gradient of a random number of the student's own few steps.
    fn samples<'t>(
        &'t self,
        noise: &Tensor,
        conditions: &Conditions,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<(Tensor, Option<Tensor>), NodeError> {
        let mut rng = draw.rng("rollout");
        let rollouts = &self.params.rollouts;
        let steps = rollouts[rng.below(0, rollouts.len() as i64) as usize].index();
        let step = self.step(steps, &mut rng);
        let student = Adapters::one(self.frozen).with(&self.delta.lora, 1.0);
        let rollout = Rollout {
            denoiser: self.denoiser,
            trained: student.clone().dropout(draw.dropout("delta", self.params.dropout)),
            student,
            frozen: (self.params.anchor.get() > 0.0).then(|| Adapters::one(self.frozen)),
        };
        let plan = Sampler::DDIM_TRAILING.plan(self.denoiser.schedule, steps)?;
        Ok(rollout.samples(tape, &plan, step, noise, conditions, &mut rng))
    }

    /// The position of the step with gradient among so many.
    fn step(&self, steps: usize, rng: &mut Rng) -> usize {
        match self.params.step {
            GradientStep::Any => rng.below(0, steps as i64) as usize,
            GradientStep::Last => steps - 1,
            GradientStep::At(step) => step.index() - 1,
        }
    }
}

impl Recipe for Feedback<'_> {
    fn name(&self) -> &'static str {
        "RewardFinetune"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let slots = self.data.slots(draw);
        let conditions = self.data.conditions_of(&slots)?;
        let Told { conditions, own: told } = self.data.with_empty(conditions, self.params.empty_captions, draw);
        let captions = send(&Tensor::from_slice(&self.data.caption_indices_of(&slots)), draw.device());
        let noise = draw.randn("noise", &self.data.shape_of(&slots));
        let (own, before) = self.samples(&noise, &conditions, draw, tape)?;
        let pictures = self.decoder.pictures_on(tape, &own);
        let mut losses = self.judges.losses(&pictures, &captions, told.as_ref());
        if let Some(before) = before {
            losses.push(("anchor".into(), Distance::Mse.between(&own, &before) * self.params.anchor.get()));
        }
        if let Some(perception) = &self.perception {
            let dropout = draw.dropout("perception", self.params.dropout);
            let trained = Adapters::one(self.frozen).with(&self.delta.lora, 1.0).dropout(dropout);
            losses.push(("perception".into(), perception.loss(&slots, &conditions, &trained, draw, tape)?));
        }
        Ok(losses)
    }

    fn watch(&self, step: u64) -> Result<(), NodeError> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.watch(step))
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        self.guard.as_ref().map_or_else(Vec::new, Guard::memory)
    }

    fn is_done(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::stops)
    }

    fn checkpointing(&self) -> bool {
        self.params.checkpointing
    }

    fn precision(&self) -> Precision {
        self.params.precision
    }

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let adapters = Adapters::one(self.frozen).with(&self.delta.average, 1.0);
        let steps = self.params.rollouts.iter().map(|steps| steps.index()).min().unwrap_or(1);
        let few = Few { denoiser: self.denoiser, steps };
        few.gallery(self.data, &adapters, self.seed, |drawn| self.decoder.pictures(drawn)).map(Some)
    }
}

pub(super) fn run(context: &Context, params: &RewardFinetune) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let frozen = lora::read_unet(context, &params.student, &teacher.unet)?;
    let delta = Student::new(context, &teacher.unet, None, params.lora())?;
    let (denoiser, decoder, channels) = (teacher.denoiser(), teacher.decoder()?, teacher.picture_shape()?.channels);
    let judges = Judges::load(context, &params.rewards, &data.captions, channels, params.precision)?;
    let perception = Perception::load(context, params, denoiser, &decoder, &data, channels)?;
    let subject = Subject {
        denoiser,
        decoder: &decoder,
        data: &data,
        judges: &judges,
        frozen: &frozen,
        delta: &delta,
        rollouts: &params.rollouts,
        steps: params.steps.get() as u64,
    };
    let guard = |guard| Guard::new(context, guard, subject, channels, params.precision);
    let feedback = Feedback {
        params,
        denoiser,
        decoder: &decoder,
        perception,
        data: &data,
        judges: &judges,
        frozen: &frozen,
        delta: &delta,
        guard: params.guard.as_ref().map(guard).transpose()?,
        seed: context.seed(),
    };
    train(context, &params.training(), vec![delta.group(params.lr.get())], delta.averages(), &feedback)?;
    feedback.guard.map_or(Ok(()), |guard| guard.finish())?;
    delta.write(context)
}
