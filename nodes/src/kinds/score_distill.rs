//! `ScoreDistill`: one-step score distillation, with the consistency of the other step counts kept.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{
    Consistency, Denoiser, Distance, consistency_loss, denoising_loss, distribution_matching_loss,
};
use hyper_flow_diffusion::schedulers::SegmentGrid;
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::{Precision, ScoreDistill};
use tch::{Kind, Tensor, no_grad};

use crate::NodeError;
use crate::conditioned::Conditioned;
use crate::distillation::Distillation;
use crate::model::Model;
use crate::paint::{Few, distance, weighting};
use crate::student::{self, Student};
use crate::training::{Draw, Group, Losses, Recipe, train};
use crate::worker::Context;

/// The group of the fake score, an online estimate of what the student draws.
const FAKE: &str = "fake";
/// Share of the timesteps at either end that say nothing about the difference of two scores (DMD, appendix B).
const MARGIN: f64 = 0.02;

struct Score<'a> {
    params: &'a ScoreDistill,
    teacher: &'a Model,
    denoiser: Denoiser<'a>,
    data: &'a Conditioned,
    grid: SegmentGrid,
    student: &'a Student,
    /// The student as it was at the start.
    start: &'a Lora,
    fake: &'a Lora,
    seed: u64,
}

/// The student's one-step pictures (b, c, h, w), with what they were drawn from.
struct Drawn {
    x: Tensor,
    noise: Tensor,
    conditions: Conditions,
}

impl Score<'_> {
    /// The student or the fake score, with what it is trained with.
    fn trained<'t>(&self, lora: &'t Lora, draw: &Draw<'_>, pass: &str) -> Adapters<'t> {
        Adapters::one(lora).dropout(draw.dropout(pass, self.params.dropout))
    }

    fn pictures<'t>(&'t self, draw: &Draw<'_>, student: &Adapters<'t>, tape: &Tape<'t>) -> Result<Drawn, NodeError> {
        let conditions = self.data.conditions_of(&draw.indices(self.data.len()))?;
        let noise = draw.randn("one-step", &self.data.sample_shape());
        let t = self.params.timestep.get();
        let output = self.denoiser.output_on(tape, &noise, t, &conditions, student);
        Ok(Drawn { x: self.denoiser.schedule.jump(&output, &noise, t, END), noise, conditions })
    }

    /// The fake score's denoising loss on the student's pictures.
    fn fake_losses<'t>(&'t self, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let Drawn { x, conditions, .. } = no_grad(|| self.pictures(draw, &Adapters::one(&self.student.lora), tape))?;
        let noise = draw.randn("noise", &x.size()[1..]);
        let t = draw.stratified("timesteps", 0, self.denoiser.schedule.train_timesteps());
        let loss =
            denoising_loss(tape, &self.denoiser, &x, &noise, &t, &conditions, &self.trained(self.fake, draw, "fake"));
        Ok(vec![("denoising".into(), loss)])
    }

    /// The distribution matching loss of the student's pictures.
    fn matching_loss(&self, Drawn { x, conditions, .. }: &Drawn, draw: &Draw<'_>) -> Tensor {
        let schedule = self.denoiser.schedule;
        let train = schedule.train_timesteps() as f64;
        let t = draw.stratified("timesteps", (MARGIN * train) as i64, ((1.0 - MARGIN) * train) as i64);
        let x_t = no_grad(|| schedule.add_noise(x, &draw.randn("noise", &x.size()[1..]), &t));
        let (real, fake) = no_grad(|| {
            let w = Tensor::full([draw.batch()], self.params.guidance.get(), (Kind::Float, draw.device()));
            let real = self.denoiser.guided(&x_t, &t, conditions, &self.data.empty, &w, &Adapters::none());
            let fake = self.denoiser.output(&x_t, &t, conditions, &Adapters::one(self.fake));
            (schedule.prediction(&real, &x_t, &t).x0, schedule.prediction(&fake, &x_t, &t).x0)
        });
        distribution_matching_loss(x, &real, &fake)
    }

    /// The distance of the student's pictures to those that it drew in more steps at the start.
    fn anchor_loss(&self, drawn: &Drawn) -> Result<Tensor, NodeError> {
        let few = Few { denoiser: self.denoiser, steps: self.params.anchor_steps.index() };
        let goal = few.draw(&drawn.noise, &drawn.conditions, &Adapters::one(self.start))?;
        Ok(Distance::Mse.between(&drawn.x, &goal))
    }

    /// The consistency loss of `SegmentDistill` with one segment, from all points but the noisiest: from there the score
    /// distillation leads.
    fn consistency_loss<'t>(&'t self, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Tensor, NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let noise = draw.randn("consistency/noise", &x0.size()[1..]);
        let w = Tensor::full([draw.batch()], self.params.guidance.get(), (Kind::Float, draw.device()));
        let of = Consistency {
            denoiser: self.denoiser,
            student: self.trained(&self.student.lora, draw, "consistency"),
            target: Adapters::one(&self.student.average),
            empty: &self.data.empty,
            distance: distance(self.params.distance),
            weighting: weighting(self.params.weighting),
        };
        let last = (self.grid.solver_steps() - 1).max(1);
        Ok(consistency_loss(tape, &of, &draw.segments(&self.grid, last), &x0, &noise, &conditions, &w))
    }
}

/// The end of the trajectory.
const END: i64 = -1;

impl Recipe for Score<'_> {
    fn name(&self) -> &'static str {
        "ScoreDistill"
    }

    fn losses<'t>(&'t self, group: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        if group == FAKE {
            return self.fake_losses(draw, tape);
        }
        let drawn = self.pictures(draw, &self.trained(&self.student.lora, draw, "one-step"), tape)?;
        let mut losses = vec![("score".into(), self.matching_loss(&drawn, draw) * self.params.score.get())];
        if self.params.anchor.get() > 0.0 {
            losses.push(("anchor".into(), self.anchor_loss(&drawn)? * self.params.anchor.get()));
        }
        if self.params.consistency.get() > 0.0 {
            losses.push(("consistency".into(), self.consistency_loss(draw, tape)? * self.params.consistency.get()));
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
        let few = Few { denoiser: self.denoiser, steps: 1 };
        let drawn = few.showcase(self.data, &Adapters::one(&self.student.average), self.seed)?;
        Ok(Some(self.teacher.decoder()?.pictures(&drawn)))
    }
}

pub(super) fn run(context: &Context, params: &ScoreDistill) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let student = Student::new(context, &teacher.unet, params.student.as_ref(), params.lora())?;
    let start = student.lora.deep_copy();
    let fake = student::fresh(context, &teacher.unet, params.lora(), FAKE)?;
    let score = Score {
        params,
        teacher: &teacher,
        denoiser: teacher.denoiser(),
        data: &data,
        grid: SegmentGrid::new(teacher.schedule.train_timesteps(), params.solver_steps.index(), 1)?,
        student: &student,
        start: &start,
        fake: &fake,
        seed: context.seed(),
    };
    let fake_group = Group {
        updates: params.fake_updates.get() as u64,
        first_updates: params.fake_warmup.get() as u64,
        decays: false,
        ..Group::main(FAKE, student::named(&fake), params.fake_lr.get())
    };
    let groups = vec![fake_group, student.group(params.lr.get())];
    train(context, &params.training(), groups, student.averages(), &score)?;
    student.write(context)
}
