//! The formats of diffusers and peft: dotted keys, and alpha only in a text.

use super::file::Format;
use super::peft_config::{PeftConfig, describe};
use super::{Lora, LoraTarget};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use std::path::Path;
use tch::Device;

const METADATA: &str = "lora_adapter_metadata";
pub(super) const CONFIG_FILE: &str = "adapter_config.json";
/// As a pipeline writes it (`save_lora_weights`).
const PIPELINE: Format =
    Format { prefix: "unet.", dot: ".", down: ".lora_A.weight", up: ".lora_B.weight", alpha: None };
/// As peft writes it (`PeftModel.save_pretrained`).
const PEFT_MODEL: Format = Format { prefix: "base_model.model.", ..PIPELINE };
/// As a model writes it (`unet.save_lora_adapter`).
const ADAPTER: Format = Format { prefix: "", ..PIPELINE };

/// Writes a LoRA with a pipeline's keys (`unet.… .lora_A.weight`, `.lora_B.weight`) and its alphas in the header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_peft(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        [
            (PIPELINE.key(module, PIPELINE.down), layer.down.shallow_clone()),
            (PIPELINE.key(module, PIPELINE.up), layer.up.shallow_clone()),
        ]
    });
    let text = describe(lora, PIPELINE.prefix);
    write_tensors(path, &tensors.collect(), Some(Entry { name: METADATA, text: &text }))
}

/// Reads a file with such keys. Its alphas are in its header or else in `config`, an `adapter_config.json`; `alpha` is for
/// what has neither.
pub(super) fn read_peft(
    file: &WeightFile,
    config: Option<&Path>,
    modules: &[LoraTarget],
    alpha: Option<f64>,
    device: Device,
) -> Result<Lora, DiffusionError> {
    let begins = |format: &Format| file.keys().any(|key| key.starts_with(format.prefix));
    let format = [PIPELINE, PEFT_MODEL].into_iter().find(begins).unwrap_or(ADAPTER);
    let config = said(file, format.prefix, config)?;
    // 1. the halves, with scale 1
    let mut lora = format.read(file, modules, device)?;
    // 2. alpha
    for (module, layer) in &mut lora.layers {
        layer.alpha = match (&config, alpha) {
            (Some(config), _) => config.alpha(module, layer.rank() as f64).map_err(|e| at(file.path(), e))?,
            (None, Some(alpha)) => alpha,
            (None, None) => return Err(at(file.path(), unknown_alpha())),
        };
    }
    Ok(lora)
}

/// What the header or else the file of a configuration says.
fn said(file: &WeightFile, prefix: &str, config: Option<&Path>) -> Result<Option<PeftConfig>, DiffusionError> {
    if let Some(text) = file.metadata().get(METADATA) {
        let prefix = if prefix == PIPELINE.prefix { prefix } else { "" };
        return PeftConfig::read(text, prefix).map(Some).map_err(|e| at(file.path(), format!("{METADATA}: {e}")));
    }
    let Some(path) = config else { return Ok(None) };
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    PeftConfig::read(&text, "").map(Some).map_err(|e| at(path, e))
}

fn unknown_alpha() -> String {
    format!(
        "alpha is not known: the header does not say it ({METADATA}); give the folder that also has {CONFIG_FILE}, or say \
         which alpha it was trained with"
    )
}

fn at(path: &Path, message: String) -> DiffusionError {
    DiffusionError::Lora(format!("{}: {message}", path.display()))
}
