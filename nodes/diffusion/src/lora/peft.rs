//! What diffusers and peft write: dotted keys, and alpha only in a text.

use super::Lora;
use super::peft_config::{PeftConfig, describe};
use super::spelling::{PEFT, PIPELINE_PREFIX};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use std::path::Path;

const METADATA: &str = "lora_adapter_metadata";
pub(super) const CONFIG_FILE: &str = "adapter_config.json";

/// Writes a LoRA with a pipeline's keys (`unet.… .lora_A.weight`, `.lora_B.weight`) and its alphas in the header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_peft(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        let key = |part: &str| format!("{PIPELINE_PREFIX}{module}{part}");
        [(key(PEFT.down), layer.down.shallow_clone()), (key(PEFT.up), layer.up.shallow_clone())]
    });
    let text = describe(lora, PIPELINE_PREFIX);
    write_tensors(path, &tensors.collect(), Some(Entry { name: METADATA, text: &text }))
}

/// What the header or else the file of a configuration says of a LoRA's alphas.
///
/// It may be a DoRA's where that `converts`.
pub(super) fn configured(
    file: &WeightFile,
    config: Option<&Path>,
    converts: bool,
) -> Result<Option<PeftConfig>, DiffusionError> {
    if let Some(text) = file.metadata().get(METADATA) {
        let said = PeftConfig::read(text, prefix(text), converts);
        return said.map(Some).map_err(|e| at(file.path(), &format!("{METADATA}: {e}")));
    }
    let Some(path) = config else { return Ok(None) };
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    PeftConfig::read(&text, "", converts).map(Some).map_err(|e| at(path, &e))
}

/// A pipeline puts whose each field is before it.
fn prefix(text: &str) -> &'static str {
    if text.contains(&format!("\"{PIPELINE_PREFIX}")) { PIPELINE_PREFIX } else { "" }
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
