//! A published model becomes a model folder in canonical form.

use std::path::{Path, PathBuf};

use hyper_flow_diffusion::ModelSource;
use hyper_flow_diffusion::schedulers::PredictionType;
use hyper_flow_diffusion::single_file::SingleFileOptions;
use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::{Diffusers, Prediction};

use crate::worker::Context;
use crate::{NodeError, files};

/// How files of weights end, pickles too: what reads them says how they are converted.
const WEIGHTS: [&str; 5] = [".safetensors", ".ckpt", ".bin", ".pt", ".pth"];

/// Writes the model at `from`, a diffusers folder, a checkpoint in one file, or a folder of nothing but one.
pub(super) fn import(context: &Context, params: &Diffusers, from: &Path) -> Result<(), NodeError> {
    let source = match single_file(from)? {
        Some(file) => of_single_file(context, params, &file)?,
        None => of_folder(params, from)?,
    };
    context.reporter.message(Level::Info, source.summary());
    source.write(&context.job.output, |done, of| context.progress(done, of, "parts"))
}

/// The checkpoint that a path means.
fn single_file(from: &Path) -> Result<Option<PathBuf>, NodeError> {
    if from.is_file() {
        return Ok(Some(from.to_owned()));
    }
    if from.join("model_index.json").exists() {
        return Ok(None);
    }
    let mut names = files::below(from)?;
    names.retain(|name| WEIGHTS.iter().any(|end| name.ends_with(end)));
    match names.as_slice() {
        [one] => Ok(Some(from.join(one))),
        _ => Err(NodeError::content(from, "has no model_index.json, so it is no diffusers folder")),
    }
}

fn of_folder(params: &Diffusers, from: &Path) -> Result<ModelSource, NodeError> {
    let given = [
        ("prediction", params.prediction.is_some()),
        ("tokenizer", params.tokenizer.is_some()),
        ("config", params.config.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
        let instead = match *name {
            "prediction" => {
                "; if what it says is wrong, edit \"prediction_type\" in its scheduler/scheduler_config.json"
            }
            _ => "",
        };
        let message = format!("is a diffusers folder, which has its own: leave `{name}` out{instead}");
        return Err(NodeError::content(from, message));
    }
    Ok(ModelSource::of_folder(from, params.variant.as_deref())?)
}

fn of_single_file(context: &Context, params: &Diffusers, file: &Path) -> Result<ModelSource, NodeError> {
    if params.variant.is_some() {
        return Err(NodeError::content(
            file,
            "is a checkpoint in one file, which has no variants: leave `variant` out",
        ));
    }
    let at = |port: &Option<_>| port.as_ref().map(|port| context.file(port)).transpose();
    let options = SingleFileOptions {
        prediction_type: params.prediction.map(|prediction| match prediction {
            Prediction::Epsilon => PredictionType::Epsilon,
            Prediction::V => PredictionType::VPrediction,
        }),
        tokenizer: at(&params.tokenizer)?,
        config: at(&params.config)?,
    };
    Ok(ModelSource::of_single_file(file, &options)?)
}
