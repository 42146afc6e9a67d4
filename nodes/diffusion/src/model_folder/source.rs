//! A model that is to be written as a model folder: everything about it is checked, and nothing of its weights is read.

use super::{Component, Parts};
use crate::clip::ClipTokenizer;
use crate::text_encoders::check_tokenizer;
use crate::weights::{Source, Weights, copy_tensors};
use crate::{DiffusionError, ModelIndex};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A model as people have it, of which a model folder in canonical form can be written: one safetensors file for each
/// part, whatever shards, variants and names it had, in the dtype that it had; configurations with every field;
/// tokenizers as `vocab.json` and `merges.txt`. Equal models give equal bytes.
///
/// Made by [`ModelSource::of_folder`] and [`ModelSource::of_single_file`], which compare every key and shape with those
/// of the model that the configurations describe.
#[derive(Debug)]
pub struct ModelSource {
    /// What it is called.
    pub(crate) family: String,
    /// Which weights are meant where there are several.
    pub(crate) taken: String,
    pub(crate) index: ModelIndex,
    pub(crate) parts: Parts,
    /// `scheduler_config.json`.
    pub(crate) scheduler: Value,
    pub(crate) tokenizers: Vec<(&'static str, ClipTokenizer)>,
    pub(crate) weights: Vec<PartWeights>,
}

/// What the tensors of some parts are made of.
#[derive(Debug)]
pub(crate) struct PartWeights {
    pub(crate) weights: Weights,
    pub(crate) tensors: BTreeMap<Component, BTreeMap<String, Source>>,
}

impl ModelSource {
    /// That the tokenizers are the text encoders'.
    pub(crate) fn check_tokenizers(self) -> Result<Self, DiffusionError> {
        let configs = [Some(&self.parts.text_encoder), self.parts.text_encoder_2.as_ref()];
        for ((name, tokenizer), config) in self.tokenizers.iter().zip(configs.into_iter().flatten()) {
            check_tokenizer(name, tokenizer, config)?;
        }
        Ok(self)
    }

    /// Writes the model folder, its `model_index.json` last. Tensors are copied one at a time: the memory that it takes is
    /// that of the largest. `written` is called after each part with how many are written, of how many.
    ///
    /// # Errors
    /// [`DiffusionError::Io`]; what `written` returns.
    pub fn write<E: From<DiffusionError>>(
        &self,
        to: &Path,
        mut written: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.parts.write(to)?;
        self.write_scheduler(to)?;
        for (name, tokenizer) in &self.tokenizers {
            tokenizer.write(&to.join(name))?;
        }
        let of = self.parts.components().len();
        let parts = self.weights.iter().flat_map(|part| part.tensors.iter().map(|tensors| (&part.weights, tensors)));
        for (done, (weights, (component, tensors))) in parts.enumerate() {
            let name = format!("{}.safetensors", component.stem());
            copy_tensors(weights, tensors, &to.join(component.folder()).join(name))?;
            written(done + 1, of)?;
        }
        Ok(self.index.write(to, self.scheduler["_class_name"].as_str().unwrap_or("DDIMScheduler"))?)
    }

    fn write_scheduler(&self, model: &Path) -> Result<(), DiffusionError> {
        let folder = model.join("scheduler");
        let io = |source| DiffusionError::Io { action: "write", path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(io)?;
        std::fs::write(folder.join(SCHEDULER), format!("{:#}\n", self.scheduler)).map_err(io)
    }
}

/// The name of the file inside a `scheduler/` folder.
pub(super) const SCHEDULER: &str = "scheduler_config.json";

/// Reads `scheduler_config.json` of a model folder, whatever it says.
pub(crate) fn read_scheduler(model: &Path) -> Result<Value, DiffusionError> {
    let path = model.join("scheduler").join(SCHEDULER);
    let io = |source| DiffusionError::Io { action: "read", path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(io)?;
    let wrong =
        |e: serde_json::Error| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() };
    serde_json::from_str(&text).map_err(wrong)
}
