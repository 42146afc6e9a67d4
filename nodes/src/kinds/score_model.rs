//! `ScoreModel`: a published score of pictures.

use hyper_flow_diffusion::scores::{AestheticScore, ImageReward};
use hyper_flow_diffusion::weights::Weights;
use hyper_flow_spec::kinds::{ScoreForm, ScoreModel};
use tch::{Device, Kind};

use crate::NodeError;
use crate::worker::Context;
use crate::worker::file_or_hub;

/// Reads all of it, and writes it in the form that every node reads: so no later node meets a key that does not fit.
pub(super) fn run(context: &Context, params: &ScoreModel) -> Result<(), NodeError> {
    let (kind, device, output) = (Kind::Float, Device::Cpu, &context.job.output);
    match &params.model {
        ScoreForm::Aesthetic { clip, head, head_hub } => {
            let head = file_or_hub(context, head.as_ref(), head_hub.as_ref(), only_weights)?;
            Weights::open(&head)?.check_finite()?;
            AestheticScore::open(context.input(clip)?, &head, kind, device)?.save(output)?;
        }
        ScoreForm::ImageReward { weights, weights_hub, tokenizer, tokenizer_hub } => {
            let weights = file_or_hub(context, weights.as_ref(), weights_hub.as_ref(), only_weights)?;
            Weights::open(&weights)?.check_finite()?;
            let vocabulary = |_: &[&str]| Ok(vec!["vocab.txt".to_owned()]);
            let tokenizer = file_or_hub(context, tokenizer.as_ref(), tokenizer_hub.as_ref(), vocabulary)?;
            ImageReward::open(&weights, &tokenizer, kind, device)?.save(output)?;
        }
    }
    Ok(())
}

/// The one file of weights of a repository.
fn only_weights(names: &[&str]) -> Result<Vec<String>, String> {
    let weights: Vec<&str> = names.iter().filter(|name| name.ends_with(".safetensors")).copied().collect();
    match weights.as_slice() {
        [only] => Ok(vec![(*only).to_owned()]),
        [] => Err(format!("has no safetensors file; it has: {}", names.join(", "))),
        several => Err(format!("has several weights, of which `files` must name one: {}", several.join(", "))),
    }
}
