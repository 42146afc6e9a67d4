//! `Diffusers`: a published model, from this machine or from a hub.

mod import;
mod needed;

use hyper_flow_spec::kinds::Diffusers;

use crate::NodeError;
use crate::worker::Context;
use crate::worker::file_or_hub;

pub(super) use needed::weights;

pub(super) fn run(context: &Context, params: &Diffusers) -> Result<(), NodeError> {
    let variant = params.variant.as_deref();
    let from = file_or_hub(context, params.path.as_ref(), params.hub.as_ref(), |names| needed_of(names, variant))?;
    import::import(context, params, &from)
}

/// The files of a repository that a pipeline needs.
fn needed_of(names: &[&str], variant: Option<&str>) -> Result<Vec<String>, String> {
    let needed = needed::needed(names, variant).map_err(|why| format!("{why}{}", single_file(names)))?;
    Ok(needed.into_keys().collect())
}

/// Advice for a repository of checkpoints in one file each.
fn single_file(names: &[&str]) -> String {
    let files: Vec<&str> =
        names.iter().filter(|name| !name.contains('/') && name.ends_with(".safetensors")).copied().collect();
    match files.first() {
        Some(first) if !names.contains(&"model_index.json") => {
            format!("; a checkpoint in one file is named: `files: [\"{first}\"]` (there are {})", files.join(", "))
        }
        _ => String::new(),
    }
}
