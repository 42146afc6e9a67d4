//! `RewardFinetune`: a LoRA that raises rewards, on top of a frozen student.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{Denoiser, Distance, reward_loss};
use hyper_flow_diffusion::sample::Painter;
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::{Precision, Reward, RewardFinetune};
use tch::{Tensor, no_grad};

use crate::NodeError;
use crate::conditioned::Conditioned;
use crate::decoder::Decoder;
use crate::distillation::Distillation;
use crate::paint::{self, Few};
use crate::scorer::Scorer;
use crate::student::{self, Student};
use crate::training::{Draw, Losses, Recipe, train};
use crate::worker::Context;

/// A reward, ready to judge: its captions are those of the dataset, in order.
struct Judge {
    scorer: Scorer,
    weight: f64,
    threshold: f64,
}

struct Feedback<'a> {
    params: &'a RewardFinetune,
    denoiser: Denoiser<'a>,
    decoder: Decoder,
    data: &'a Conditioned,
    judges: Vec<Judge>,
    frozen: &'a Lora,
    delta: &'a Student,
    seed: u64,
}

impl Feedback<'_> {
    /// The sample that one step with gradient predicts, and the one that the frozen student predicts there: after a
    /// roll-out without gradient of a random number of the student's own few steps.
    fn samples<'t>(
        &'t self,
        noise: &Tensor,
        conditions: &Conditions,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<(Tensor, Tensor), NodeError> {
        let mut rng = draw.rng("rollout");
        let rollouts = &self.params.rollouts;
        let steps = rollouts[rng.below(0, rollouts.len() as i64) as usize].index();
        let step = rng.below(0, steps as i64) as usize;
        let plan = Sampler::DDIM_TRAILING.plan(self.denoiser.schedule, steps)?;
        let (adapted, frozen) = (Adapters::one(self.frozen).with(&self.delta.lora, 1.0), Adapters::one(self.frozen));
        let painter = Painter { denoiser: self.denoiser, plan: &plan, adapters: &adapted, guidance: None };
        let x = painter.advance(&plan.start(noise), conditions, step, &mut rng);
        let t = plan.timestep(step) as i64;
        let trained = adapted.clone().dropout(draw.dropout("delta", self.params.dropout));
        let own = self.denoiser.output_on(tape, &plan.model_input(&x, step), t, conditions, &trained);
        let before = no_grad(|| Painter { adapters: &frozen, ..painter }.output(&x, step, conditions));
        let sample = move |output: &Tensor| self.denoiser.schedule.prediction(output, &x, t).x0;
        let before = no_grad(|| sample(&before));
        let [own] = tape.run([&own], move |[own]| [sample(own)]);
        Ok((own, before))
    }
}

impl Recipe for Feedback<'_> {
    fn name(&self) -> &'static str {
        "RewardFinetune"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let indices = draw.indices(self.data.len());
        let conditions = self.data.conditions_of(&indices)?;
        let captions = Tensor::from_slice(&self.data.caption_indices_of(&indices)).to_device(draw.device());
        let noise = draw.randn("noise", &self.data.sample_shape());
        let (own, before) = self.samples(&noise, &conditions, draw, tape)?;
        let pictures = self.decoder.pictures_on(tape, &own);
        let mut losses = Losses::new();
        for (i, judge) in self.judges.iter().enumerate() {
            let rewards = judge.scorer.score(&pictures, &captions);
            let loss = reward_loss(&rewards, judge.threshold) * judge.weight;
            losses.push((format!("reward.{i}").into(), loss));
        }
        if self.params.anchor.get() > 0.0 {
            losses.push(("anchor".into(), Distance::Mse.between(&own, &before) * self.params.anchor.get()));
        }
        Ok(losses)
    }

    fn checkpointing(&self) -> bool {
        self.params.checkpointing
    }

    fn precision(&self) -> Precision {
        self.params.precision
    }

    fn sample(&self) -> Result<Option<Tensor>, NodeError> {
        let adapters = Adapters::one(self.frozen).with(&self.delta.average, 1.0);
        let steps = self.params.rollouts.iter().map(|steps| steps.index()).min().unwrap_or(1);
        let drawn = Few { denoiser: self.denoiser, steps }.showcase(self.data, &adapters, self.seed)?;
        Ok(Some(self.decoder.pictures(&drawn)))
    }
}

fn judges(
    context: &Context,
    params: &RewardFinetune,
    captions: &[String],
    channels: i64,
) -> Result<Vec<Judge>, NodeError> {
    let judge = |reward: &Reward| {
        let (folder, weight, threshold) = match reward {
            Reward::Clip { model, weight, threshold } => (context.input(model)?, weight, threshold),
            Reward::Score { model, weight, threshold } => (context.input(model)?, weight, threshold),
        };
        let scorer = Scorer::load(folder, captions, channels, paint::kind(params.precision), context.device)?;
        Ok(Judge { scorer, weight: weight.get(), threshold: *threshold })
    };
    params.rewards.iter().map(judge).collect()
}

pub(super) fn run(context: &Context, params: &RewardFinetune) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let frozen = student::read(context, &params.student, &teacher.unet)?;
    let delta = Student::new(context, &teacher.unet, None, params.lora())?;
    let feedback = Feedback {
        params,
        denoiser: teacher.denoiser(),
        decoder: teacher.decoder()?,
        data: &data,
        judges: judges(context, params, &data.captions, teacher.picture_shape()?.channels)?,
        frozen: &frozen,
        delta: &delta,
        seed: context.seed(),
    };
    train(context, &params.training(), vec![delta.group(params.lr.get())], delta.averages(), &feedback)?;
    delta.write(context)
}
