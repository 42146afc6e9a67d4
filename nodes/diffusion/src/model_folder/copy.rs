//! A model folder in canonical form out of one as people have it.

use super::{Component, Parts, write_weights};
use crate::clip::ClipTokenizer;
use crate::schedulers::SchedulerConfig;
use crate::weights::{Part, Source, Weights, assign, check_floating, find_weights, has_weights};
use crate::{DiffusionError, KeyReport, ModelIndex};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Writes the model folder `to` out of the model folder `from`: one safetensors file for each part, whatever shards,
/// variant and old names it had, in the dtype that it had; configurations with every field; tokenizers as `vocab.json`
/// and `merges.txt`. Equal models give equal bytes.
///
/// Every key and shape is compared with those of the model that the configuration describes before anything is written.
/// As in diffusers, a part without the variant is taken without it if another part has it.
///
/// # Errors
/// What is wrong with any of the files, naming it.
pub fn copy_model(from: &Path, variant: Option<&str>, to: &Path) -> Result<(), DiffusionError> {
    let index = ModelIndex::read(from)?;
    let parts = Parts::read(from, &index)?;
    let scheduler = SchedulerConfig::read(&from.join("scheduler"))?;
    let tokenizers = tokenizers(from, &index)?;
    let weights = find_all(from, &parts, variant)?;
    let mut checked = Vec::new();
    for (component, weights) in &weights {
        checked.push((*component, weights, check(*component, weights, &parts)?));
    }

    parts.write(to)?;
    write_scheduler(to, &read_json(&from.join("scheduler/scheduler_config.json"))?)?;
    for (name, tokenizer) in tokenizers {
        tokenizer.write(&to.join(name))?;
    }
    for (component, weights, tensors) in &checked {
        write_weights(to, *component, weights, tensors)?;
    }
    index.write(to, &scheduler.class_name)
}

fn tokenizers(model: &Path, index: &ModelIndex) -> Result<Vec<(&'static str, ClipTokenizer)>, DiffusionError> {
    let names = [Some("tokenizer"), index.text_encoder_2.then_some("tokenizer_2")];
    names.into_iter().flatten().map(|name| Ok((name, ClipTokenizer::read(&model.join(name))?))).collect()
}

fn find_all(model: &Path, parts: &Parts, variant: Option<&str>) -> Result<Vec<(Component, Weights)>, DiffusionError> {
    let components = parts.components();
    let has = |component: &Component, variant| has_weights(&model.join(component.folder()), component.stem(), variant);
    let somewhere = components.iter().any(|component| has(component, variant));
    let find = |component: Component| {
        let plain = variant.is_some() && somewhere && !has(&component, variant) && has(&component, None);
        let variant = if plain { None } else { variant };
        Ok((component, find_weights(&model.join(component.folder()), component.stem(), variant)?))
    };
    components.into_iter().map(find).collect()
}

/// What each tensor of a part is made of.
fn check(component: Component, weights: &Weights, parts: &Parts) -> Result<BTreeMap<String, Source>, DiffusionError> {
    let mut report = KeyReport::default();
    let places = weights.keys().filter_map(|key| Some((key, component.name(key)?, Part::Whole)));
    let sources = assign(weights, places, &parts.shapes(component)?, "", &mut report);
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: weights.path().to_owned(), report });
    }
    check_floating(weights, &sources)?;
    Ok(sources)
}

/// Writes `scheduler/scheduler_config.json`.
pub(crate) fn write_scheduler(model: &Path, config: &Value) -> Result<(), DiffusionError> {
    let folder = model.join("scheduler");
    let io = |source| DiffusionError::Io { action: "write", path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    std::fs::write(folder.join("scheduler_config.json"), format!("{config:#}\n")).map_err(io)
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value, DiffusionError> {
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let wrong =
        |e: serde_json::Error| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() };
    serde_json::from_str(&text).map_err(wrong)
}
