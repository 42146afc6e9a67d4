//! `PretrainedLora`: a LoRA that was trained elsewhere.

use std::path::{Path, PathBuf};

use hyper_flow_diffusion::lora::read_lora;
use hyper_flow_spec::Positive;
use hyper_flow_spec::kinds::PretrainedLora;
use tch::Device;

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
    let modules = model::modules(context.input(&params.model)?)?;
    let lora = read_lora(&path, &modules, params.alpha.map(Positive::get), Device::Cpu)?;
    lora::write(context, &lora)
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
