//! `PretrainedClip`: a published CLIP.

use hyper_flow_diffusion::scores::ClipScore;
use hyper_flow_diffusion::weights::find_weights;
use hyper_flow_spec::kinds::PretrainedClip;
use tch::{Device, Kind};

use super::diffusers::weights;
use crate::NodeError;
use crate::worker::Context;
use crate::worker::file_or_hub;

/// Of a repository these are taken if they are there; the CLIP that PickScore is has them elsewhere.
const PERHAPS: [&str; 4] = ["preprocessor_config.json", "merges.txt", "vocab.json", "tokenizer_config.json"];

/// Reads all of it, and writes it in the form that every node reads: so no later node meets a key that does not fit.
pub(super) fn run(context: &Context, params: &PretrainedClip) -> Result<(), NodeError> {
    let folder = file_or_hub(context, params.path.as_ref(), params.hub.as_ref(), needed)?;
    let tokenizer = match (&params.tokenizer, &params.tokenizer_hub) {
        (None, None) => folder.clone(),
        (file, hub) => file_or_hub(context, file.as_ref(), hub.as_ref(), needed_of_tokenizer)?,
    };
    find_weights(&folder, "model", None)?.check_finite()?;
    let clip = ClipScore::published(&folder, &tokenizer, Kind::Float, Device::Cpu)?;
    Ok(clip.save(&context.job.output)?)
}

/// The files of a repository that make a CLIP.
fn needed(names: &[&str]) -> Result<Vec<String>, String> {
    if !names.contains(&"config.json") {
        return Err("has no config.json, so it is no CLIP of transformers".to_owned());
    }
    let perhaps = PERHAPS.iter().filter(|name| names.contains(name)).copied();
    let weights = weights(names, "model", None)?;
    Ok(perhaps.chain(["config.json"]).map(str::to_owned).chain(weights.into_keys()).collect())
}

/// The files of a repository that make a tokenizer.
fn needed_of_tokenizer(names: &[&str]) -> Result<Vec<String>, String> {
    match names.contains(&"vocab.json") && names.contains(&"merges.txt") {
        true => Ok(PERHAPS[1..].iter().filter(|name| names.contains(name)).map(|name| (*name).to_owned()).collect()),
        false => Err("has no vocab.json and merges.txt, which make the tokenizer of a CLIP".to_owned()),
    }
}
