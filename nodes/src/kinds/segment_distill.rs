//! `SegmentDistill`: one stage of trajectory segmented consistency distillation.

use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::{Consistency, Denoiser, Jumps, latent_consistency_jumps, trajectory_jumps};
use hyper_flow_diffusion::schedulers::{Ends, SegmentGrid};
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::{Method, Precision, SegmentDistill, Target};
use tch::{Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::model::Model;
use crate::distilling::adversary::{Adversary, DISCRIMINATOR, Noising};
use crate::distilling::distillation::Distillation;
use crate::distilling::paint::{Few, distance, weighting};
use crate::distilling::student::Student;
use crate::training::{Conditioned, Draw, Gallery, Losses, Recipe, Told, train};
use crate::worker::Context;

struct Stage<'a> {
    params: &'a SegmentDistill,
    teacher: &'a Model,
    denoiser: Denoiser<'a>,
    data: &'a Conditioned,
    grid: SegmentGrid,
    student: &'a Student,
    adversary: Option<Adversary<'a>>,
    seed: u64,
}

impl Stage<'_> {
    fn consistency<'t>(&'t self, draw: &Draw<'_>) -> Consistency<'t> {
        Consistency {
            denoiser: self.denoiser,
            student: Adapters::one(&self.student.lora).dropout(draw.dropout("student", self.params.dropout)),
            target: match self.params.target {
                Target::Ema => Adapters::one(&self.student.average),
                Target::StopGrad => Adapters::one(&self.student.lora),
            },
            empty: &self.data.empty,
            distance: distance(self.params.distance),
            weighting: weighting(self.params.weighting),
        }
    }

    /// Where student and target lead from points of the trajectories of real samples.
    fn jumps<'t>(
        &'t self,
        of: &Consistency<'t>,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<(Jumps, Conditions), NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let Told { conditions, .. } = self.data.with_empty(conditions, self.params.empty_captions, draw);
        let noise = draw.offset_randn("noise", &x0.size()[1..], self.params.offset_noise.get());
        let (low, high) = self.params.guidance;
        let w = draw.uniform("guidance", low.get(), high.get());
        let points = draw.segments(&self.grid, self.grid.solver_steps());
        let jumps = match self.params.method {
            Method::Tscd | Method::Tcd | Method::Pcm => trajectory_jumps,
            Method::Lcm => latent_consistency_jumps,
        };
        Ok((jumps(tape, of, &points, &x0, &noise, &conditions, &w), conditions))
    }

    /// The timesteps that the discriminator sees jumps at, and the noise that moves them there.
    fn noised(&self, jumps: &Jumps, draw: &Draw<'_>) -> (Tensor, Tensor) {
        let to = self.grid.noised(&jumps.end, &draw.uniform("adversarial/timesteps", 0.0, 1.0));
        (to, draw.randn("adversarial/noise", &jumps.goal.size()[1..]))
    }

    /// Real are the target's points, fake the student's.
    fn discriminator_losses<'t>(
        &'t self,
        adversary: &'t Adversary<'_>,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<Losses, NodeError> {
        let (jumps, conditions) = no_grad(|| self.jumps(&self.consistency(draw), draw, tape))?;
        let (to, noise) = self.noised(&jumps, draw);
        let noising = Noising { from: &jumps.end, to: &to, noise: &noise, conditions: &conditions };
        Ok(adversary.discriminator_losses(tape, &jumps.goal, &jumps.prediction, noising))
    }
}

impl Recipe for Stage<'_> {
    fn name(&self) -> &'static str {
        "SegmentDistill"
    }

    fn losses<'t>(&'t self, group: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        if let Some(adversary) = self.adversary.as_ref().filter(|_| group == DISCRIMINATOR) {
            return self.discriminator_losses(adversary, draw, tape);
        }
        let of = self.consistency(draw);
        let (jumps, conditions) = self.jumps(&of, draw, tape)?;
        let mut losses: Losses = vec![("consistency".into(), of.between(&jumps))];
        if let Some(adversary) = &self.adversary {
            let (to, noise) = self.noised(&jumps, draw);
            let noising = Noising { from: &jumps.end, to: &to, noise: &noise, conditions: &conditions };
            losses.push(("adversarial".into(), adversary.generator_loss(tape, &jumps.prediction, noising)));
        }
        Ok(losses)
    }

    fn checkpointing(&self) -> bool {
        self.params.checkpointing
    }

    fn precision(&self) -> Precision {
        self.params.precision
    }

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let few = Few { denoiser: self.denoiser, steps: self.params.segments.index() };
        let decoder = self.teacher.decoder()?;
        let adapters = Adapters::one(&self.student.average);
        few.gallery(self.data, &adapters, self.seed, |drawn| decoder.pictures(drawn)).map(Some)
    }
}

pub(super) fn run(context: &Context, params: &SegmentDistill) -> Result<(), NodeError> {
    let Distillation { teacher, data } = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    let student = Student::new(context, &teacher.unet, params.student.as_ref(), params.lora())?;
    let segments = params.segments;
    let grid = SegmentGrid::new(teacher.schedule.train_timesteps(), params.solver_steps.index(), segments.index())?;
    let ends = if params.method == Method::Pcm { Ends::Start } else { Ends::Any };
    let stage = Stage {
        params,
        teacher: &teacher,
        denoiser: teacher.denoiser(),
        data: &data,
        grid: grid.ending(ends),
        student: &student,
        adversary: Adversary::new(context, &teacher, params.adversarial.as_ref(), segments.get())?,
        seed: context.seed(),
    };
    let groups = stage.adversary.iter().map(Adversary::group).chain([student.group(params.lr.get())]).collect();
    train(context, &params.training(), groups, student.averages(), &stage)?;
    student.write(context)
}
