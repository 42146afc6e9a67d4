//! A model out of a model folder as people have it.

use super::source::{PartWeights, read_scheduler};
use super::{Component, ModelSource, Parts};
use crate::clip::ClipTokenizer;
use crate::schedulers::SchedulerConfig;
use crate::weights::{Part, Weights, assign, check_floating, find_weights, has_weights};
use crate::{DiffusionError, KeyReport, ModelIndex};
use std::collections::BTreeMap;
use std::path::Path;

impl ModelSource {
    /// The model of a folder. As in diffusers, a part without the variant is taken without it if another part has it.
    ///
    /// # Errors
    /// What is wrong with any of the files, naming it.
    pub fn of_folder(model: &Path, variant: Option<&str>) -> Result<Self, DiffusionError> {
        let index = ModelIndex::read(model)?;
        let parts = Parts::read(model, &index)?;
        SchedulerConfig::read(&model.join("scheduler"))?;
        let source = Self {
            scheduler: read_scheduler(model)?,
            tokenizers: tokenizers(model, &index)?,
            weights: find_all(model, &parts, variant)?,
            parts,
            index,
        };
        source.check_tokenizers()
    }
}

fn tokenizers(model: &Path, index: &ModelIndex) -> Result<Vec<(&'static str, ClipTokenizer)>, DiffusionError> {
    let names = [Some("tokenizer"), index.text_encoder_2.then_some("tokenizer_2")];
    names.into_iter().flatten().map(|name| Ok((name, ClipTokenizer::read(&model.join(name))?))).collect()
}

fn find_all(model: &Path, parts: &Parts, variant: Option<&str>) -> Result<Vec<PartWeights>, DiffusionError> {
    let components = parts.components();
    let has = |component: &Component, variant| has_weights(&model.join(component.folder()), component.stem(), variant);
    let somewhere = components.iter().any(|component| has(component, variant));
    let find = |component: Component| {
        let plain = variant.is_some() && somewhere && !has(&component, variant) && has(&component, None);
        let variant = if plain { None } else { variant };
        checked(component, find_weights(&model.join(component.folder()), component.stem(), variant)?, parts)
    };
    components.into_iter().map(find).collect()
}

fn checked(component: Component, weights: Weights, parts: &Parts) -> Result<PartWeights, DiffusionError> {
    let mut report = KeyReport::default();
    let places = weights.keys().filter_map(|key| Some((key, component.name(key)?, Part::Whole)));
    let sources = assign(&weights, places, &parts.shapes(component)?, "", &mut report);
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: weights.path().to_owned(), report });
    }
    check_floating(&weights, &sources)?;
    Ok(PartWeights { weights, tensors: BTreeMap::from([(component, sources)]) })
}
