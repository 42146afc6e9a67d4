//! The losses of the student and of the fake score.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{Consistency, Denoiser, Scores, consistency_loss, denoising_loss, score_loss};
use hyper_flow_diffusion::schedulers::SegmentGrid;
use hyper_flow_diffusion::{Conditions, Tape, send};
use hyper_flow_spec::kinds::{Precision, ScoreDistill};
use tch::{Kind, Tensor, no_grad};

use super::anchor::Anchor;
use super::rollout::{Drawn, END, Rollout};
use crate::NodeError;
use crate::artifacts::decoder::Decoder;
use crate::artifacts::model::Model;
use crate::distilling::adversary::{Adversary, DISCRIMINATOR, Noising};
use crate::distilling::feedback::Judges;
use crate::distilling::paint::{Few, distance, snr_weighting, weighting};
use crate::distilling::student::Student;
use crate::training::{Conditioned, Draw, Gallery, Losses, Recipe, Told};

/// The group of the fake score, an online estimate of what the student draws.
pub(super) const FAKE: &str = "fake";
/// Share of the timesteps at either end that say nothing about the difference of two scores (DMD, appendix B).
const MARGIN: f64 = 0.02;

pub(super) struct Score<'a> {
    pub(super) params: &'a ScoreDistill,
    pub(super) teacher: &'a Model,
    pub(super) denoiser: Denoiser<'a>,
    pub(super) data: &'a Conditioned,
    pub(super) grid: SegmentGrid,
    pub(super) rollout: Rollout<'a>,
    pub(super) student: &'a Student,
    pub(super) anchor: Anchor<'a>,
    pub(super) fake: &'a Lora,
    pub(super) adversary: Option<Adversary<'a>>,
    pub(super) rewards: Option<Rewards>,
    pub(super) seed: u64,
}

/// What judges the student's pictures.
pub(super) struct Rewards {
    pub(super) judges: Judges,
    pub(super) decoder: Decoder,
}

/// Where and by what pictures are noised for the discriminator.
struct Noised {
    from: Tensor,
    to: Tensor,
    noise: Tensor,
}

impl Noised {
    fn noising<'n>(&'n self, conditions: &'n Conditions) -> Noising<'n> {
        Noising { from: &self.from, to: &self.to, noise: &self.noise, conditions }
    }
}

impl Score<'_> {
    /// The student or the fake score, with what it is trained with.
    fn trained<'t>(&self, lora: &'t Lora, draw: &Draw<'_>, pass: &str) -> Adapters<'t> {
        Adapters::one(lora).dropout(draw.dropout(pass, self.params.dropout))
    }

    /// Predicted by `student`, at the end of the student's own steps.
    fn pictures<'t>(&'t self, draw: &Draw<'_>, student: &Adapters<'t>, tape: &Tape<'t>) -> Result<Drawn, NodeError> {
        let slots = self.data.slots(draw);
        let conditions = self.data.conditions_of(&slots)?;
        let Told { conditions, own } = self.data.with_empty(conditions, self.params.empty_captions, draw);
        let captions = send(&Tensor::from_slice(&self.data.caption_indices_of(&slots)), draw.device());
        let noise = draw.randn("one-step", &self.data.shape_of(&slots));
        let start = self.rollout.start(draw, &noise, &conditions, &Adapters::one(&self.student.lora))?;
        let x = self.rollout.picture(tape, &start, &conditions, student);
        Ok(Drawn { x, noise, conditions, captions, own, in_one_step: start.is_noise })
    }

    /// The student's pictures without gradient.
    fn samples(&self, draw: &Draw<'_>) -> Result<Drawn, NodeError> {
        no_grad(|| self.pictures(draw, &Adapters::one(&self.student.lora), &Tape::off()))
    }

    /// Timesteps that tell of the difference of two scores.
    fn timesteps(&self, draw: &Draw<'_>) -> Tensor {
        let train = self.denoiser.schedule.train_timesteps() as f64;
        draw.stratified("timesteps", (MARGIN * train) as i64, ((1.0 - MARGIN) * train) as i64)
    }

    /// The fake score's denoising loss on the student's pictures.
    fn fake_losses<'t>(&'t self, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let Drawn { x, conditions, .. } = self.samples(draw)?;
        let noise = draw.randn("noise", &x.size()[1..]);
        let t = draw.stratified("timesteps", 0, self.denoiser.schedule.train_timesteps());
        let (fake, weighting) = (self.trained(self.fake, draw, "fake"), snr_weighting(self.params.fake_weighting));
        let loss = denoising_loss(tape, &self.denoiser, &x, &noise, &t, &conditions, &fake, weighting);
        Ok(vec![("denoising".into(), loss)])
    }

    /// The distribution matching loss of the student's pictures.
    fn score_loss(&self, Drawn { x, conditions, .. }: &Drawn, draw: &Draw<'_>) -> Tensor {
        let (t, noise) = (self.timesteps(draw), draw.randn("noise", &x.size()[1..]));
        let w = Tensor::full([draw.batch()], self.params.guidance.get(), (Kind::Float, draw.device()));
        let of = Scores { denoiser: self.denoiser, fake: Adapters::one(self.fake), empty: &self.data.empty };
        score_loss(&of, x, &noise, &t, conditions, &w)
    }

    /// The distance of the student's one-step pictures to what holds them, if anything does.
    fn anchor_loss<'t>(&'t self, drawn: &Drawn, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Option<Tensor>, NodeError> {
        let student = self.trained(&self.student.lora, draw, "anchor");
        self.anchor.loss(&self.rollout, drawn, self.data, draw, tape, &student)
    }

    /// The discriminator's loss on the data and the student's pictures of the same captions.
    fn discriminator_losses<'t>(
        &'t self,
        adversary: &'t Adversary<'_>,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<Losses, NodeError> {
        let (real, fake) = (self.data.batch(draw)?.0, self.samples(draw)?);
        let noised = self.noised(&fake, draw);
        Ok(adversary.discriminator_losses(tape, &real, &fake.x, noised.noising(&fake.conditions)))
    }

    /// How the discriminator sees pictures: from their end, noised as the scores see them.
    fn noised(&self, Drawn { x, .. }: &Drawn, draw: &Draw<'_>) -> Noised {
        let to = self.timesteps(draw);
        Noised { from: to.full_like(END), to, noise: draw.randn("adversarial/noise", &x.size()[1..]) }
    }

    /// The terms that judge the pictures besides the scores.
    fn further_losses<'t>(&'t self, drawn: &Drawn, draw: &Draw<'_>, tape: &Tape<'t>) -> Losses {
        let mut losses = Losses::new();
        if let Some(adversary) = &self.adversary {
            let noised = self.noised(drawn, draw);
            let loss = adversary.generator_loss(tape, &drawn.x, noised.noising(&drawn.conditions));
            losses.push(("adversarial".into(), loss));
        }
        if let Some(Rewards { judges, decoder }) = &self.rewards {
            losses.extend(judges.losses(&decoder.pictures_on(tape, &drawn.x), &drawn.captions, drawn.own.as_ref()));
        }
        losses
    }

    /// The consistency loss of `SegmentDistill` with one segment, from all points but the noisiest: from there the score
    /// distillation leads.
    fn consistency_loss<'t>(&'t self, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Tensor, NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let Told { conditions, .. } = self.data.with_empty(conditions, self.params.empty_captions, draw);
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

impl Recipe for Score<'_> {
    fn name(&self) -> &'static str {
        "ScoreDistill"
    }

    fn losses<'t>(&'t self, group: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        match (group, &self.adversary) {
            (FAKE, _) => return self.fake_losses(draw, tape),
            (DISCRIMINATOR, Some(adversary)) => return self.discriminator_losses(adversary, draw, tape),
            _ => {}
        }
        let drawn = self.pictures(draw, &self.trained(&self.student.lora, draw, "one-step"), tape)?;
        let mut losses = vec![("score".into(), self.score_loss(&drawn, draw) * self.params.score.get())];
        if let Some(loss) = self.anchor_loss(&drawn, draw, tape)? {
            losses.push(("anchor".into(), loss * self.params.anchor.get()));
        }
        losses.extend(self.further_losses(&drawn, draw, tape));
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

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let steps = self.params.rollouts.iter().map(|steps| steps.index()).min().unwrap_or(1);
        let few = Few { denoiser: self.denoiser, steps };
        let decoder = self.teacher.decoder()?;
        let adapters = Adapters::one(&self.student.average);
        few.gallery(self.data, &adapters, self.seed, |drawn| decoder.pictures(drawn)).map(Some)
    }
}
