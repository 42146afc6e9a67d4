//! The stabilising term: what the one-step pictures are held to.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::Distance;
use hyper_flow_spec::kinds::ScoreDistill;
use tch::Tensor;

use super::rollout::{Drawn, Rollout};
use crate::NodeError;
use crate::artifacts::model::Model;
use crate::artifacts::pairs::Pairs;
use crate::distilling::paint::Few;
use crate::distilling::student::Student;
use crate::training::Conditioned;
use crate::training::Draw;
use crate::worker::Context;

/// What holds the one-step pictures.
#[derive(Debug)]
pub(super) enum Anchor<'a> {
    /// Nothing.
    Free,
    /// What the student, as it was at the start, draws from the same noise in a few steps.
    Start { lora: Lora, few: Few<'a> },
    /// What the teacher draws from other noise (DMD, §3.3).
    Pairs(Box<Pairs>),
}

impl<'a> Anchor<'a> {
    pub(super) fn new(
        context: &Context,
        params: &ScoreDistill,
        teacher: &'a Model,
        data: &Conditioned,
        student: &Student,
    ) -> Result<Self, NodeError> {
        match &params.pairs {
            _ if params.anchor.get() == 0.0 => Ok(Self::Free),
            Some(pairs) => {
                let folder = context.input(pairs)?;
                let pairs = Pairs::read(folder, &data.captions, data.sample_shape(), context.device)?;
                Ok(Self::Pairs(Box::new(pairs)))
            }
            None => {
                let few = Few { denoiser: teacher.denoiser(), steps: params.anchor_steps.index() };
                Ok(Self::Start { lora: student.lora.deep_copy(), few })
            }
        }
    }

    /// The mean squared distance of one-step pictures to those; none where `drawn` are not of one step.
    pub(super) fn loss<'t>(
        &self,
        rollout: &Rollout<'t>,
        drawn: &Drawn,
        data: &Conditioned,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
        student: &Adapters<'t>,
    ) -> Result<Option<Tensor>, NodeError> {
        Ok(match self {
            Self::Free => None,
            Self::Start { .. } if !drawn.in_one_step => None,
            Self::Start { lora, few } => {
                let goal = few.draw(&drawn.noise, &drawn.conditions, &Adapters::one(lora))?;
                Some(Distance::Mse.between(&drawn.x, &goal))
            }
            Self::Pairs(pairs) => {
                let batch = pairs.batch(&draw.indices(pairs.len()))?;
                let conditions = data.conditions(&batch.captions)?;
                let own = rollout.in_one_step(tape, &batch.noise, &conditions, student);
                Some(Distance::Mse.between(&own, &batch.samples))
            }
        })
    }
}
