//! `ScoreDistill`: score distillation for one step or a few, with the consistency of the other step counts kept.

mod anchor;
mod recipe;
mod rollout;

use hyper_flow_diffusion::schedulers::SegmentGrid;
use hyper_flow_spec::kinds::ScoreDistill;

use crate::NodeError;
use crate::artifacts::model::Model;
use crate::distilling::adversary::Adversary;
use crate::distilling::distillation::Distillation;
use crate::distilling::feedback::Judges;
use crate::distilling::student::{self, Student};
use crate::training::Conditioned;
use crate::training::{Group, train};
use crate::worker::Context;
use anchor::Anchor;
use recipe::{FAKE, Rewards, Score};
use rollout::Rollout;

pub(super) fn run(context: &Context, params: &ScoreDistill) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let student = Student::new(context, &teacher.unet, params.student.as_ref(), params.lora())?;
    let fake = student::fresh(context, &teacher.unet, params.lora(), FAKE)?;
    let score = Score {
        params,
        teacher: &teacher,
        denoiser: teacher.denoiser(),
        data: &data,
        grid: SegmentGrid::new(teacher.schedule.train_timesteps(), params.solver_steps.index(), 1)?,
        rollout: Rollout::new(teacher.denoiser(), params),
        student: &student,
        anchor: Anchor::new(context, params, &teacher, &data, &student)?,
        fake: &fake,
        adversary: Adversary::new(context, &teacher, params.adversarial.as_ref(), 1)?,
        rewards: rewards(context, params, &teacher, &data)?,
        seed: context.seed(),
    };
    let fake_group = Group {
        updates: params.fake_updates.get() as u64,
        first_updates: params.fake_warmup.get() as u64,
        decays: false,
        ..Group::main(FAKE, student::named(&fake), params.fake_lr.get())
    };
    let discriminator = score.adversary.as_ref().map(Adversary::group);
    let groups =
        [Some(fake_group), discriminator, Some(student.group(params.lr.get()))].into_iter().flatten().collect();
    train(context, &params.training(), groups, student.averages(), &score)?;
    student.write(context)
}

/// What judges the pictures, and makes pictures of samples.
fn rewards(
    context: &Context,
    params: &ScoreDistill,
    teacher: &Model,
    data: &Conditioned,
) -> Result<Option<Rewards>, NodeError> {
    if params.rewards.is_empty() {
        return Ok(None);
    }
    let channels = teacher.picture_shape()?.channels;
    let judges = Judges::load(context, &params.rewards, &data.captions, channels, params.precision)?;
    Ok(Some(Rewards { judges, decoder: teacher.decoder()? }))
}
