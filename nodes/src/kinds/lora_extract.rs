//! `LoraExtract`: what a fine-tuned model changed, as a LoRA.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::lora::extract;
use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::LoraExtract;

use super::truncation;
use crate::artifacts::{lora, model};
use crate::worker::Context;
use crate::{NodeError, files};

/// Parts of a model that a LoRA of the UNet leaves out.
const OTHERS: [&str; 3] = ["text_encoder", "text_encoder_2", "vae"];

pub(super) fn run(context: &Context, params: &LoraExtract) -> Result<(), NodeError> {
    let [tuned, base] = [context.input(&params.tuned)?, context.input(&params.base)?];
    let modules = model::modules(base)?;
    let [its_weights, weights] = [model::unet_weights(tuned)?, model::unet_weights(base)?];
    let rank = params.rank.get();
    let found = extract(&modules, &its_weights, &weights, rank, context.device, |done, of| {
        context.progress(done, of, "modules")
    })?;
    truncation::report(context, "extraction", rank, &found.error, true)?;
    context.reporter.metric("left_out", found.left_out);
    for part in OTHERS {
        if differ(&tuned.join(part), &base.join(part))? {
            let text = format!("{part} differs, too: a LoRA of the UNet does not have that");
            context.reporter.message(Level::Warning, text);
        }
    }
    lora::write(context, &found.lora)
}

/// Whether the weights in two folders differ.
fn differ(one: &Path, other: &Path) -> Result<bool, NodeError> {
    let weights = |folder: &Path| -> Result<Vec<(String, Vec<u8>)>, NodeError> {
        let names = if folder.is_dir() { files::below(folder)? } else { Vec::new() };
        let names = names.into_iter().filter(|name| name.ends_with(".safetensors"));
        let read = |name: String| {
            let path = folder.join(&name);
            Ok((name, fs::read(&path).map_err(NodeError::io("read", &path))?))
        };
        names.map(read).collect()
    };
    Ok(weights(one)? != weights(other)?)
}
