//! What a model turned out to be, in a line for who brings it in.

use super::{Component, ModelSource, Parts};
use crate::schedulers::PredictionType;
use crate::weights::{Source, Weights};
use std::collections::{BTreeMap, BTreeSet};

impl ModelSource {
    /// Family, what it predicts, which of several weights were taken, and the number format of each part:
    /// `SDXL base; predicts v, zero terminal SNR; the trained weights, their average (model_ema) is left out; unet F16, …`.
    pub fn summary(&self) -> String {
        let all = self.weights.iter().flat_map(|part| part.tensors.iter().map(|of| formats(&part.weights, of)));
        let formats: Vec<String> = all.collect();
        let prediction = match predicts(&self.scheduler) {
            PredictionType::Epsilon => "epsilon",
            PredictionType::VPrediction => "v",
            PredictionType::Sample => "the sample",
        };
        let snr = if self.scheduler["rescale_betas_zero_snr"] == true { ", zero terminal SNR" } else { "" };
        format!("{}; predicts {prediction}{snr}; {}; {}", self.family, self.taken, formats.join(", "))
    }
}

/// What a `scheduler_config.json` says that the model predicts; diffusers' default where it says nothing.
pub(crate) fn predicts(scheduler: &serde_json::Value) -> PredictionType {
    serde_json::from_value(scheduler["prediction_type"].clone()).unwrap_or(PredictionType::Epsilon)
}

/// The family of a model folder, by what its UNet is told of a text.
pub(super) fn family(parts: &Parts) -> String {
    match (parts.text_encoder_2.is_some(), parts.text_encoder.hidden_size) {
        (true, _) => "SDXL base".to_owned(),
        (false, 768) => "Stable Diffusion 1".to_owned(),
        (false, 1024) => "Stable Diffusion 2".to_owned(),
        (false, width) => format!("a model whose text encoder is {width} wide"),
    }
}

/// `unet F16`, or all formats that the part has.
fn formats(weights: &Weights, (component, tensors): (&Component, &BTreeMap<String, Source>)) -> String {
    let stored = |source: &Source| weights.stored(&source.key).ok();
    let name =
        |(dtype, scale): (String, Option<f32>)| if scale.is_some() { format!("{dtype} with scales") } else { dtype };
    let all: BTreeSet<String> = tensors.values().filter_map(stored).map(name).collect();
    format!("{} {}", component.folder(), all.into_iter().collect::<Vec<_>>().join(" and "))
}
