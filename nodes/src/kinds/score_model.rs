//! `ScoreModel`: a published score of pictures.

use hyper_flow_diffusion::scores::{AestheticScore, ImageReward};
use hyper_flow_spec::kinds::{ScoreForm, ScoreModel};
use tch::{Device, Kind};

use crate::NodeError;
use crate::worker::Context;

/// Reads all of it, and writes it in the form that every node reads: so no later node meets a key that does not fit.
pub(super) fn run(context: &Context, params: &ScoreModel) -> Result<(), NodeError> {
    let (kind, device, output) = (Kind::Float, Device::Cpu, &context.job.output);
    match &params.model {
        ScoreForm::Aesthetic { clip, head } => {
            AestheticScore::open(context.input(clip)?, context.file(head)?, kind, device)?.save(output)?;
        }
        ScoreForm::ImageReward { weights, tokenizer } => {
            ImageReward::open(context.file(weights)?, context.file(tokenizer)?, kind, device)?.save(output)?;
        }
    }
    Ok(())
}
