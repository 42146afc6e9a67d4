//! What a kind supplies to the loop.

use std::borrow::Cow;
use std::ops::Range;

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::Lora;
use hyper_flow_diffusion::optim::AdamWConfig;
use hyper_flow_spec::kinds::Precision;
use tch::Tensor;

use super::Draw;
use crate::NodeError;

/// Loss terms by name, already weighted; their sum is minimised.
pub(crate) type Losses = Vec<(Cow<'static, str>, Tensor)>;

/// Rows of pictures (n, c, h, w) in [−1, 1], each with what it shows: its caption.
pub(crate) type Gallery = Vec<(String, Tensor)>;

/// Weights that are trained together by one optimiser.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its name in losses, checkpoints and random streams.
    pub(crate) name: &'static str,
    /// The trained tensors by name.
    pub(crate) parameters: Vec<(String, Tensor)>,
    /// Peak learning rate.
    pub(crate) lr: f64,
    /// Updates in each step of the loop.
    pub(crate) updates: u64,
    /// Further updates in the first step.
    pub(crate) first_updates: u64,
    /// Whether its learning rate follows the training's schedule.
    pub(crate) decays: bool,
    /// Decay rates of AdamW's running means.
    pub(crate) betas: (f64, f64),
    /// The adapters that these parameters are, if they are some: the norms of what they add are told.
    pub(crate) lora: Option<Lora>,
}

impl Group {
    /// The weights that the node yields: one update a step.
    pub(crate) fn main(name: &'static str, parameters: Vec<(String, Tensor)>, lr: f64) -> Self {
        let betas = AdamWConfig::default().betas;
        Self { name, parameters, lr, updates: 1, first_updates: 0, decays: true, betas, lora: None }
    }
}

impl Group {
    /// Which of its updates belong to a step, counted from 0 over the whole training.
    pub(super) fn updates_of(&self, step: u64) -> Range<u64> {
        let before = |step: u64| if step == 0 { 0 } else { self.first_updates + step * self.updates };
        before(step - 1)..before(step)
    }
}

/// How a kind trains.
pub(crate) trait Recipe {
    /// The name that separates its random streams from those of other kinds.
    fn name(&self) -> &'static str;

    /// The loss terms of one part of a batch for the group of this name. Must draw all randomness from `draw`, and be a
    /// mean over the samples, so that the mean over the parts is the loss of the batch. What is differentiated may be put
    /// on `tape`, which is off unless [`Recipe::checkpointing`].
    fn losses<'t>(&'t self, group: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError>;

    /// Whether parts of networks are computed again in the backward pass.
    fn checkpointing(&self) -> bool {
        false
    }

    /// The number format that gradients pass through on their way to what is trained.
    fn precision(&self) -> Precision {
        Precision::Fp32
    }

    /// Looks at what is trained after a step (0: before the first), without gradient. What it keeps for later looks must be
    /// in [`Recipe::memory`].
    fn watch(&self, _step: u64) -> Result<(), NodeError> {
        Ok(())
    }

    /// Finite tensors that [`Recipe::watch`] changes in place, by name: a resumed training finds them as they were.
    fn memory(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// Whether training ends here though steps are left; must follow from [`Recipe::memory`].
    fn is_done(&self) -> bool {
        false
    }

    /// Pictures of the model as it is being trained, always from the same noise and captions. `None` where there is nothing
    /// to look at.
    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        Ok(None)
    }
}
