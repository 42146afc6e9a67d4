//! The visual-perception term of human feedback learning (Hyper-SD, §3.2).

use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::schedulers::{NoiseSchedule, Sampler};
use hyper_flow_diffusion::segmentation::{self, Segment, mask_loss};
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::RewardFinetune;
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::dataset::Masks;
use crate::artifacts::decoder::Decoder;
use crate::training::Conditioned;
use crate::training::Draw;
use crate::worker::Context;

/// A frozen network that looks for the object in what the student makes of a noised picture.
#[derive(Debug)]
pub(crate) struct Perception<'a> {
    segmenter: Box<dyn Segment>,
    denoiser: Denoiser<'a>,
    decoder: &'a Decoder,
    data: &'a Conditioned,
    masks: &'a Masks,
    /// What pictures may be noised to.
    timesteps: Tensor,
    weight: f64,
}

impl<'a> Perception<'a> {
    /// The term that is asked for, if one is, for pictures of so many channels.
    pub(crate) fn load(
        context: &Context,
        params: &RewardFinetune,
        denoiser: Denoiser<'a>,
        decoder: &'a Decoder,
        data: &'a Conditioned,
        channels: i64,
    ) -> Result<Option<Self>, NodeError> {
        let Some(wanted) = &params.perception else { return Ok(None) };
        let segmenter = segmentation::load(context.input(&wanted.model)?, context.device)?;
        if segmenter.channels() != channels {
            let own = segmenter.channels();
            let message = format!("the segmenter sees pictures of {own} channels, and the model draws {channels}");
            return Err(NodeError::Unfit(message));
        }
        let masks = data.masks().ok_or_else(|| {
            let advice = "ask for them where the dataset is read in: `masks`";
            NodeError::Unfit(format!("the data have no masks for `perception`; {advice}"))
        })?;
        let timesteps = timesteps(denoiser.schedule, params, wanted.max_timestep.get())?;
        let timesteps = Tensor::from_slice(&timesteps).to_device(context.device);
        Ok(Some(Self { segmenter, denoiser, decoder, data, masks, timesteps, weight: wanted.weight.get() }))
    }

    /// Noises the pictures of these slots, each to a timestep of its own; the student predicts them in one step, and
    /// their masks are compared with the true ones.
    pub(crate) fn loss<'t>(
        &'t self,
        slots: &[i64],
        conditions: &Conditions,
        adapters: &Adapters<'t>,
        draw: &Draw<'_>,
        tape: &Tape<'t>,
    ) -> Result<Tensor, NodeError> {
        let t = draw.stratified("perception/t", 0, self.timesteps.size()[0]);
        let t = self.timesteps.index_select(0, &t);
        let noise = draw.randn("perception/noise", &self.data.shape_of(slots));
        let x0 = self.data.samples(slots)?;
        let x0 = self.denoiser.denoised_on(tape, &x0, &noise, &t, conditions, adapters);
        let logits = self.segmenter.logits(&self.decoder.pictures_on(tape, &x0));
        Ok(mask_loss(&logits, &self.masks.drawn(slots, draw.device())?) * self.weight)
    }
}

/// Those of all steps of the roll-outs up to the largest that is wanted.
fn timesteps(schedule: &NoiseSchedule, params: &RewardFinetune, largest: i64) -> Result<Vec<i64>, NodeError> {
    let mut all = Vec::new();
    for steps in &params.rollouts {
        let plan = Sampler::DDIM_TRAILING.plan(schedule, steps.index())?;
        all.extend(plan.timesteps().iter().map(|&t| t as i64).filter(|&t| t <= largest));
    }
    all.sort_unstable();
    all.dedup();
    match all.is_empty() {
        true => Err(NodeError::Unfit(format!("no step of the roll-outs is at a timestep up to {largest}"))),
        false => Ok(all),
    }
}
