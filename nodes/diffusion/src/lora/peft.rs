//! What diffusers and peft write: dotted keys, and alpha only in a text.

use super::peft_config::{PeftConfig, describe};
use super::spelling::{PEFT, PIPELINE_PREFIX, pipeline};
use super::tower::bare;
use super::{Lora, TextTower};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use serde_json::{Map, Value};
use std::path::Path;

const METADATA: &str = "lora_adapter_metadata";
pub(super) const CONFIG_FILE: &str = "adapter_config.json";

/// Writes a LoRA with a pipeline's keys (`unet.… .lora_A.weight`, `.lora_B.weight`; `text_encoder.…`, `text_encoder_2.…`) and
/// its alphas in the header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_peft(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    write_peft_with(lora, path, Map::new())
}

/// As [`write_peft`], with more beside the alphas that tells of the LoRA. A pipeline takes from there what has its prefix.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_peft_with(lora: &Lora, path: &Path, about: Map<String, Value>) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        let (prefix, own) = pipeline(module);
        let key = |part: &str| format!("{prefix}{own}{part}");
        [(key(PEFT.down), layer.down.shallow_clone()), (key(PEFT.up), layer.up.shallow_clone())]
    });
    let text = Value::Object(described(lora).into_iter().chain(about).collect()).to_string();
    write_tensors(path, &tensors.collect(), Some(Entry { name: METADATA, text: &text }))
}

/// What is said of each part of a LoRA; of text encoders, by paths that name a module in every version of transformers.
fn described(lora: &Lora) -> Map<String, Value> {
    let text = TextTower::ALL.into_iter().map(|tower| {
        let layers = lora.text(tower).layers.into_iter().map(|(path, layer)| (bare(&path).to_owned(), layer));
        (tower.pipeline(), Lora { layers: layers.collect() })
    });
    let text: Vec<_> = text.filter(|(_, part)| !part.layers.is_empty()).collect();
    let unet = Some((PIPELINE_PREFIX, lora.unet())).filter(|(_, part)| text.is_empty() || !part.layers.is_empty());
    unet.into_iter().chain(text).flat_map(|(prefix, part)| describe(&part, prefix)).collect()
}

/// What is said of alphas: of all modules alike, or of each of a pipeline's models.
pub(super) struct Configs(Vec<(&'static str, PeftConfig)>);

impl Configs {
    fn read(text: &str, prefixes: &[&'static str], converts: bool) -> Result<Self, String> {
        let one = |&prefix: &&'static str| Ok((prefix, PeftConfig::read(text, prefix, converts)?));
        prefixes.iter().map(one).collect::<Result<_, String>>().map(Self)
    }

    /// The alpha of a module, if there is something said of its model.
    pub(super) fn alpha(&self, module: &str, rank: f64) -> Result<Option<f64>, String> {
        let (prefix, own) = pipeline(module);
        let of = self.0.iter().find(|(of, _)| of.is_empty() || *of == prefix);
        of.map(|(_, config)| config.alpha(own, rank)).transpose()
    }
}

/// What the header or else the file of a configuration says of a LoRA's alphas.
///
/// It may be a DoRA's where that `converts`.
pub(super) fn configured(
    file: &WeightFile,
    config: Option<&Path>,
    converts: bool,
) -> Result<Option<Configs>, DiffusionError> {
    if let Some(text) = file.metadata().get(METADATA) {
        let said = Configs::read(text, &prefixes(text), converts);
        return said.map(Some).map_err(|e| at(file.path(), &format!("{METADATA}: {e}")));
    }
    let Some(path) = config else { return Ok(None) };
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    Configs::read(&text, &[""], converts).map(Some).map_err(|e| at(path, &e))
}

/// A pipeline puts whose each field is before it.
fn prefixes(text: &str) -> Vec<&'static str> {
    let all = [PIPELINE_PREFIX, TextTower::First.pipeline(), TextTower::Second.pipeline()];
    let said: Vec<_> = all.into_iter().filter(|prefix| text.contains(&format!("\"{prefix}"))).collect();
    if said.is_empty() { vec![""] } else { said }
}

/// That nobody says what alpha a module has.
pub(super) fn unknown_alpha() -> DiffusionError {
    DiffusionError::Lora(format!(
        "alpha is not known: the header does not say it ({METADATA}); give the folder that also has {CONFIG_FILE}, or \
         write the alpha it was trained with into `alpha` (diffusers' own scripts took the rank)"
    ))
}

fn at(path: &Path, message: &str) -> DiffusionError {
    DiffusionError::Lora(format!("{}: {message}", path.display()))
}
