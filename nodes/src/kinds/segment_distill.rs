//! `SegmentDistill`: one stage of trajectory segmented consistency distillation.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::{Consistency, Denoiser, consistency_loss};
use hyper_flow_diffusion::schedulers::SegmentGrid;
use hyper_flow_spec::kinds::{Precision, SegmentDistill, Target};
use tch::Tensor;

use crate::NodeError;
use crate::conditioned::Conditioned;
use crate::distillation::Distillation;
use crate::model::Model;
use crate::paint::{Few, distance, weighting};
use crate::student::Student;
use crate::training::{Draw, Losses, Recipe, train};
use crate::worker::Context;

struct Stage<'a> {
    params: &'a SegmentDistill,
    teacher: &'a Model,
    denoiser: Denoiser<'a>,
    data: &'a Conditioned,
    grid: SegmentGrid,
    student: &'a Student,
    seed: u64,
}

impl Recipe for Stage<'_> {
    fn name(&self) -> &'static str {
        "SegmentDistill"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let noise = draw.randn("noise", &x0.size()[1..]);
        let (low, high) = self.params.guidance;
        let w = draw.uniform("guidance", low.get(), high.get());
        let of = Consistency {
            denoiser: self.denoiser,
            student: Adapters::one(&self.student.lora).dropout(draw.dropout("student", self.params.dropout)),
            target: match self.params.target {
                Target::Ema => Adapters::one(&self.student.average),
                Target::StopGrad => Adapters::one(&self.student.lora),
            },
            empty: &self.data.empty,
            distance: distance(self.params.distance),
            weighting: weighting(self.params.weighting),
        };
        let points = draw.segments(&self.grid, self.grid.solver_steps());
        Ok(vec![("consistency".into(), consistency_loss(tape, &of, &points, &x0, &noise, &conditions, &w))])
    }

    fn checkpointing(&self) -> bool {
        self.params.checkpointing
    }

    fn precision(&self) -> Precision {
        self.params.precision
    }

    fn sample(&self) -> Result<Option<Tensor>, NodeError> {
        let few = Few { denoiser: self.denoiser, steps: self.params.segments.index() };
        let drawn = few.showcase(self.data, &Adapters::one(&self.student.average), self.seed)?;
        Ok(Some(self.teacher.decoder()?.pictures(&drawn)))
    }
}

pub(super) fn run(context: &Context, params: &SegmentDistill) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let student = Student::new(context, &teacher.unet, params.student.as_ref(), params.lora())?;
    let train_timesteps = teacher.schedule.train_timesteps();
    let stage = Stage {
        params,
        teacher: &teacher,
        denoiser: teacher.denoiser(),
        data: &data,
        grid: SegmentGrid::new(train_timesteps, params.solver_steps.index(), params.segments.index())?,
        student: &student,
        seed: context.seed(),
    };
    train(context, &params.training(), vec![student.group(params.lr.get())], student.averages(), &stage)?;
    student.write(context)
}
