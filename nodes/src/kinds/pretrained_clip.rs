//! `PretrainedClip`: a published CLIP.

use hyper_flow_diffusion::scores::ClipScore;
use hyper_flow_spec::kinds::PretrainedClip;
use tch::{Device, Kind};

use crate::NodeError;
use crate::worker::Context;

/// Reads all of it, and writes it in the form that every node reads: so no later node meets a key that does not fit.
pub(super) fn run(context: &Context, params: &PretrainedClip) -> Result<(), NodeError> {
    let folder = context.file(&params.path)?;
    let tokenizer = params.tokenizer.as_ref().map_or(Ok(folder), |tokenizer| context.file(tokenizer))?;
    let clip = ClipScore::published(folder, tokenizer, Kind::Float, Device::Cpu)?;
    Ok(clip.save(&context.job.output)?)
}
