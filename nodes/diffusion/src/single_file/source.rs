//! A model out of a checkpoint in one file.

use super::keys::{Layout, Place, is_average, place};
use super::{Family, configs};
use crate::clip::ClipTokenizer;
use crate::model_folder::{Component, Marks, ModelSource, PartWeights, Parts, predicts, read_scheduler};
use crate::schedulers::PredictionType;
use crate::unet::PerBlock;
use crate::weights::{Part, Source, Weights, assign, check_floating};
use crate::{DiffusionError, KeyReport, ModelIndex};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What a single file leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub struct SingleFileOptions<'a> {
    /// What the model predicts. Without it: what the file says of itself (a key `v_pred`, or `modelspec.prediction_type`
    /// in its header), else what diffusers takes: v for Stable Diffusion 2, although the one for 512 pixels predicts ε
    /// and has the same keys and shapes; ε for the others.
    pub prediction_type: Option<PredictionType>,
    /// A folder with a CLIP tokenizer (`vocab.json` and `merges.txt`), which no single file has. The token that pads is
    /// that of the model.
    pub tokenizer: Option<&'a Path>,
    /// A model folder whose configurations are taken instead of the published model's, and whose tokenizers if
    /// `tokenizer` is not given. Its weights are not looked at.
    pub config: Option<&'a Path>,
}

impl ModelSource {
    /// The model of a checkpoint in one file. The weights are those that were trained, not their average (`model_ema.…`).
    /// Every key must have its place or be known to need none, and every tensor of the model its key.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for another model than those of [`Family`] and for a tokenizer that is missing,
    /// [`DiffusionError::Keys`] naming every key that does not fit; otherwise what the files say.
    pub fn of_single_file(file: &Path, options: &SingleFileOptions<'_>) -> Result<Self, DiffusionError> {
        let weights = Weights::open(file)?;
        let family = Family::of(&weights)?;
        let xl = family == Family::StableDiffusionXl;
        let index = ModelIndex { text_encoder_2: xl, vae: true, force_zeros_for_empty_prompt: xl };
        let scheduler = scheduler(&weights, family, options)?;
        let parts = match options.config {
            Some(folder) => Parts::read(folder, &index)?,
            None => configs::parts(family, predicts(&scheduler)),
        };
        let tokenizers = tokenizers(file, family, options)?;
        let tensors = sources(&weights, family, &parts)?;
        let (family, taken) = (family.to_string(), taken(&weights).to_owned());
        let weights = vec![PartWeights { weights, tensors }];
        Self { family, taken, index, parts, scheduler, tokenizers, weights }.check_tokenizers()
    }
}

fn taken(weights: &Weights) -> &'static str {
    if weights.keys().any(is_average) {
        "the weights that were trained, without their average (model_ema)"
    } else {
        "the only weights (no model_ema)"
    }
}

/// What each tensor of each part is made of.
fn sources(
    weights: &Weights,
    family: Family,
    parts: &Parts,
) -> Result<BTreeMap<Component, BTreeMap<String, Source>>, DiffusionError> {
    let layout = layout(family, parts)?;
    let mut report = KeyReport::default();
    let mut places: BTreeMap<Component, Vec<(&str, String, Part)>> = BTreeMap::new();
    for key in weights.keys() {
        match place(key, &layout) {
            Some(Place::In(component, names)) => {
                places.entry(component).or_default().extend(names.into_iter().map(|(name, part)| (key, name, part)));
            }
            Some(Place::Nowhere) => {}
            None => report.left_over.push(key.to_owned()),
        }
    }
    let mut sources = BTreeMap::new();
    for component in parts.components() {
        let places = places.remove(&component).unwrap_or_default().into_iter();
        let label = format!("{}/", component.folder());
        let tensors = assign(weights, places, &parts.shapes(component)?, &label, &mut report);
        sources.insert(component, tensors);
    }
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: weights.path().to_owned(), report });
    }
    sources.values().try_for_each(|tensors| check_floating(weights, tensors))?;
    Ok(sources)
}

fn layout(family: Family, parts: &Parts) -> Result<Layout, DiffusionError> {
    let PerBlock::Same(layers) = parts.unet.layers_per_block else {
        let message = "layers_per_block must be one number for a checkpoint in one file".to_owned();
        return Err(DiffusionError::Config { what: "unet".into(), message });
    };
    Ok(Layout {
        family,
        layers_per_block: layers as usize,
        vae_blocks: parts.vae.as_ref().map_or(0, |vae| vae.block_out_channels.len()),
        text_layers: parts.text_encoder.num_hidden_layers as usize,
    })
}

/// `scheduler_config.json`, with what the model predicts.
pub(super) fn scheduler(
    weights: &Weights,
    family: Family,
    options: &SingleFileOptions<'_>,
) -> Result<Value, DiffusionError> {
    let own = options.config.map(read_scheduler).transpose()?;
    let by_default = if family == Family::StableDiffusion2 { "v_prediction" } else { "epsilon" };
    let marks = Marks::of(weights);
    let told = options.prediction_type.or(marks.prediction).map(|prediction| json!(prediction));
    let published = own.is_none();
    let mut config = own.unwrap_or_else(|| configs::scheduler(family));
    if let Some(prediction) = told.or_else(|| published.then(|| json!(by_default))) {
        config["prediction_type"] = prediction;
    }
    if marks.zero_snr && config["prediction_type"] == "v_prediction" {
        config["rescale_betas_zero_snr"] = json!(true);
        // Any other spacing leaves the last timestep out, which is what all of this is about (Lin et al. 2023, §3.3).
        config["timestep_spacing"] = json!("trailing");
    }
    Ok(config)
}

fn tokenizers(
    file: &Path,
    family: Family,
    options: &SingleFileOptions<'_>,
) -> Result<Vec<(&'static str, ClipTokenizer)>, DiffusionError> {
    let second = (family == Family::StableDiffusionXl).then_some(("tokenizer_2", "!"));
    let first = ("tokenizer", if family == Family::StableDiffusion2 { "!" } else { "<|endoftext|>" });
    let read = |(name, pad): (&'static str, &str)| {
        let tokenizer = match (options.tokenizer, options.config) {
            (Some(folder), _) => ClipTokenizer::read(folder)?.padded_with(pad)?,
            (None, Some(model)) => ClipTokenizer::read(&model.join(name))?,
            (None, None) => return Err(no_tokenizer(file)),
        };
        Ok((name, tokenizer))
    };
    [Some(first), second].into_iter().flatten().map(read).collect()
}

fn no_tokenizer(file: &Path) -> DiffusionError {
    let message =
        "a checkpoint in one file has no tokenizer: give the folder of CLIP's, with vocab.json and merges.txt";
    DiffusionError::Config { what: file.display().to_string(), message: message.into() }
}
