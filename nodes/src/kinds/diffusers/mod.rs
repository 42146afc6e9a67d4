//! `Diffusers`: a published model, from this machine or from a hub.

mod folder;
mod needed;

use hyper_flow_hub::RemoteFile;
use hyper_flow_spec::kinds::Diffusers;

use crate::NodeError;
use crate::download::from_hub;
use crate::worker::Context;

pub(super) fn run(context: &Context, params: &Diffusers) -> Result<(), NodeError> {
    let variant = params.variant.as_deref();
    match (&params.path, &params.hub) {
        (Some(path), None) => folder::import(context.file(path)?, variant, &context.job.output),
        (None, Some(hub)) => {
            let folder = from_hub(context, hub, |there| needed_of(there, variant))?;
            folder::import(&folder, variant, &context.job.output)
        }
        _ => Err(NodeError::Unfit("exactly one of `path` and `hub` says where the model comes from".into())),
    }
}

/// The files of a repository that a pipeline needs.
fn needed_of(there: &[RemoteFile], variant: Option<&str>) -> Result<Vec<RemoteFile>, String> {
    let names: Vec<&str> = there.iter().map(|file| file.path.as_str()).collect();
    let needed = needed::needed(&names, variant).map_err(|why| format!("{why}{}", single_file(&names)))?;
    Ok(there.iter().filter(|file| needed.contains_key(&file.path)).cloned().collect())
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
