//! `PretrainedLora`: a LoRA that was trained elsewhere.

use std::path::{Path, PathBuf};

use hyper_flow_diffusion::lora::{Lora, PublishedLora};
use hyper_flow_spec::kinds::{Convert, PretrainedLora, TextParts};
use hyper_flow_spec::{Level, Positive};
use tch::Device;

use super::truncation;
use crate::NodeError;
use crate::artifacts::lora;
use crate::artifacts::model;
use crate::worker::Context;
use crate::worker::file_or_hub;

/// What peft says of a LoRA.
const CONFIG_FILE: &str = "adapter_config.json";

pub(super) fn run(context: &Context, params: &PretrainedLora) -> Result<(), NodeError> {
    let found = file_or_hub(context, params.path.as_ref(), params.hub.as_ref(), needed)?;
    let path = if params.hub.is_some() { inside(found)? } else { found };
    let lora = read(context, params, &path)?;
    lora::write(context, &lora)
}

fn read(context: &Context, params: &PretrainedLora, path: &Path) -> Result<Lora, NodeError> {
    let folder = context.input(&params.model)?;
    let modules = model::lora_modules(folder)?;
    let file = opened(context, params, path)?;
    let Some(Convert::Svd(rank)) = params.convert else { return Ok(file.read(&modules, Device::Cpu)?) };
    let progress = |done, of| context.progress(done, of, "modules");
    let base = model::BaseWeights::of(folder)?;
    let (lora, error) = file.convert(&modules, rank.get(), |module| base.weight(module), progress)?;
    truncation::report(context, "conversion", rank.get(), &error, true)?;
    Ok(lora)
}

/// The file, without what is for text encoders if that is asked for; says what that is.
fn opened(context: &Context, params: &PretrainedLora, path: &Path) -> Result<PublishedLora, NodeError> {
    let file = PublishedLora::open(path)?.with_alpha(params.alpha.map(Positive::get));
    let Some(TextParts::Drop) = params.text else { return Ok(file) };
    let (file, dropped) = file.without_text();
    if !dropped.is_empty() {
        let text = format!("left out: {}; what is left may draw something else", dropped.join(" and "));
        context.reporter.message(Level::Warning, text);
    }
    Ok(file)
}

/// The only LoRA of a repository, and what is said of it.
fn needed(names: &[&str]) -> Result<Vec<String>, String> {
    let weights: Vec<&str> = names.iter().copied().filter(|name| name.ends_with(".safetensors")).collect();
    let [only] = weights.as_slice() else {
        let example = weights.first().map(|first| format!(": name one, for example `files: [\"{first}\"]`"));
        return Err(format!("has {} safetensors files{}", weights.len(), example.unwrap_or_default()));
    };
    let config = Path::new(only).with_file_name(CONFIG_FILE);
    Ok(names.iter().filter(|name| *name == only || Path::new(name) == config).map(|name| (*name).to_owned()).collect())
}

/// The folder that holds the files of a repository, which may be folders down.
fn inside(path: PathBuf) -> Result<PathBuf, NodeError> {
    let mut path = path;
    while path.is_dir() {
        let entries = path.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match entries.map_err(NodeError::io("list", &path))?.as_slice() {
            [only] => path = only.path(),
            _ => break,
        }
    }
    Ok(path)
}
