//! The format of diffusers and peft: dotted keys, and alpha only in the header's text.

use super::file::Format;
use super::{Lora, LoraTarget};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tch::Device;

const METADATA: &str = "lora_adapter_metadata";
const PEFT: Format =
    Format { module: |path| format!("unet.{path}"), down: ".lora_A.weight", up: ".lora_B.weight", alpha: None };

/// The part of peft's `LoraConfig` that the numbers depend on.
#[derive(Debug, Serialize, Deserialize)]
struct Config {
    #[serde(rename = "unet.alpha_pattern", default)]
    alpha_pattern: BTreeMap<String, f64>,
    #[serde(rename = "unet.lora_alpha")]
    lora_alpha: f64,
    #[serde(rename = "unet.r")]
    r: i64,
    #[serde(rename = "unet.rank_pattern", default)]
    rank_pattern: BTreeMap<String, i64>,
    #[serde(rename = "unet.target_modules", skip_deserializing)]
    target_modules: Vec<String>,
    #[serde(rename = "unet.use_rslora", default)]
    use_rslora: bool,
}

impl Config {
    fn of(lora: &Lora) -> Self {
        let (r, layers) = (lora.rank(), &lora.layers);
        // The commonest pair is the default, so that an ordinary LoRA has empty patterns.
        let lora_alpha = layers.values().find(|l| l.rank() == r).map_or(1.0, |l| l.alpha);
        let own = |value: f64, default: f64| (value != default).then_some(value);
        let alphas = layers.iter().filter_map(|(m, l)| Some((m.clone(), own(l.alpha, lora_alpha)?)));
        let ranks = layers.iter().filter(|(_, l)| l.rank() != r).map(|(m, l)| (m.clone(), l.rank()));
        Self {
            alpha_pattern: alphas.collect(),
            lora_alpha,
            r,
            rank_pattern: ranks.collect(),
            target_modules: layers.keys().cloned().collect(),
            use_rslora: false,
        }
    }

    /// The alpha of a module in this crate's sense, where the scale is alpha/rank.
    fn alpha(&self, module: &str, rank: f64) -> f64 {
        let named = |name: &str| module.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let own = self.alpha_pattern.iter().find(|(name, _)| named(name));
        let alpha = own.map_or(self.lora_alpha, |(_, alpha)| *alpha);
        if self.use_rslora { alpha * rank.sqrt() } else { alpha }
    }
}

/// Writes a LoRA with diffusers' keys (`unet.… .lora_A.weight`, `.lora_B.weight`) and its alphas in the header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_peft(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        [
            (PEFT.key(module, PEFT.down), layer.down.shallow_clone()),
            (PEFT.key(module, PEFT.up), layer.up.shallow_clone()),
        ]
    });
    let text = serde_json::to_string(&Config::of(lora)).map_err(|e| DiffusionError::Lora(e.to_string()))?;
    write_tensors(path, &tensors.collect(), Some(Entry { name: METADATA, text: &text }))
}

/// Reads a LoRA with diffusers' keys for a model with the given modules. Frozen, fp32. Without a header text (as older
/// files are) a module has its rank for alpha, as diffusers has it.
///
/// # Errors
/// [`DiffusionError::Keys`] for keys that fit no module and modules with one half only, [`DiffusionError::Lora`] for
/// shapes or a header text that do not fit; otherwise as [`WeightFile`].
pub fn read_peft(path: &Path, modules: &[LoraTarget], device: Device) -> Result<Lora, DiffusionError> {
    let file = WeightFile::open(path)?;
    let config = file.metadata().get(METADATA).map(|text| serde_json::from_str::<Config>(text)).transpose();
    let config = config.map_err(|e| DiffusionError::Lora(format!("{}: {METADATA}: {e}", path.display())))?;
    PEFT.read(&file, modules, device, |module, rank| config.as_ref().map_or(rank, |c| c.alpha(module, rank)))
}
