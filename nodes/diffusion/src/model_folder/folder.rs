//! A model out of a model folder as people have it.

use super::source::{PartWeights, SCHEDULER, read_scheduler};
use super::summary::family;
use super::{Component, Marks, ModelSource, Parts};
use crate::clip::ClipTokenizer;
use crate::schedulers::SchedulerConfig;
use crate::weights::{Part, Weights, assign, check_floating, find_weights, has_weights};
use crate::{DiffusionError, KeyReport, ModelIndex};
use serde_json::json;
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
        let scheduler = SchedulerConfig::read(&model.join("scheduler"))?;
        let weights = find_all(model, &parts, variant)?;
        check_scheduler(model, &scheduler, &weights)?;
        let source = Self {
            family: family(&parts),
            taken: variant.map_or("plain weights".to_owned(), |variant| format!("weights of the variant `{variant}`")),
            scheduler: read_scheduler(model)?,
            tokenizers: tokenizers(model, &index)?,
            weights,
            parts,
            index,
        };
        source.check_tokenizers()
    }
}

/// That the scheduler says of the model what its UNet's weights say.
fn check_scheduler(model: &Path, scheduler: &SchedulerConfig, weights: &[PartWeights]) -> Result<(), DiffusionError> {
    let unet = weights.iter().find(|part| part.tensors.contains_key(&Component::Unet));
    let Some(unet) = unet.map(|part| &part.weights) else { return Ok(()) };
    let marks = Marks::of(unet);
    let (own, other) = (json!(scheduler.prediction_type), marks.prediction.map(|prediction| json!(prediction)));
    let message = if let Some(other) = other.filter(|other| *other != own) {
        format!(
            "says that the model predicts {own}, and its weights say {other}: set \"prediction_type\": {other} here"
        )
    } else if marks.zero_snr && !scheduler.rescale_betas_zero_snr {
        "says nothing of zero terminal SNR, and the weights are marked ztsnr: set \"rescale_betas_zero_snr\": true and \
         \"timestep_spacing\": \"trailing\" here"
            .to_owned()
    } else {
        return Ok(());
    };
    let what = format!("{} (beside {})", model.join("scheduler").join(SCHEDULER).display(), unet.path().display());
    Err(DiffusionError::Config { what, message })
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
