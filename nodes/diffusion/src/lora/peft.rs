//! The formats of diffusers and peft: dotted keys, and alpha only in a text.

use super::file::Format;
use super::peft_config::{PeftConfig, describe};
use super::{Lora, LoraTarget};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use std::path::Path;
use tch::Device;

const METADATA: &str = "lora_adapter_metadata";
const CONFIG_FILE: &str = "adapter_config.json";
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

/// Reads a LoRA that diffusers or peft wrote, for a model with the given modules. Frozen, fp32. Its alphas are in the
/// file's header or in the `adapter_config.json` beside it; `alpha` is for a file that has neither.
///
/// # Errors
/// [`DiffusionError::Lora`] if alpha is not known: to take the rank for it, as diffusers does, would silently scale the
/// LoRA by another number than it was trained with. [`DiffusionError::Keys`] for keys that fit no module and modules with
/// one half only, [`DiffusionError::Lora`] for shapes and configurations that do not fit and for other adapters than a
/// UNet's LoRA; otherwise as [`WeightFile`].
pub fn read_peft(
    path: &Path,
    modules: &[LoraTarget],
    alpha: Option<f64>,
    device: Device,
) -> Result<Lora, DiffusionError> {
    let file = WeightFile::open(path)?;
    let begins = |format: &Format| file.keys().any(|key| key.starts_with(format.prefix));
    let format = [PIPELINE, PEFT_MODEL].into_iter().find(begins).unwrap_or(ADAPTER);
    let config = config(&file, format.prefix)?;
    // 1. the halves, with scale 1
    let mut lora = format.read(&file, modules, device)?;
    // 2. alpha
    for (module, layer) in &mut lora.layers {
        layer.alpha = match (&config, alpha) {
            (Some(config), _) => config.alpha(module, layer.rank() as f64).map_err(|e| at(path, e))?,
            (None, Some(alpha)) => alpha,
            (None, None) => return Err(at(path, unknown_alpha())),
        };
    }
    Ok(lora)
}

/// What the header or the file beside it says.
fn config(file: &WeightFile, prefix: &str) -> Result<Option<PeftConfig>, DiffusionError> {
    if let Some(text) = file.metadata().get(METADATA) {
        let prefix = if prefix == PIPELINE.prefix { prefix } else { "" };
        return PeftConfig::read(text, prefix).map(Some).map_err(|e| at(file.path(), format!("{METADATA}: {e}")));
    }
    let beside = file.path().with_file_name(CONFIG_FILE);
    match std::fs::read_to_string(&beside) {
        Ok(text) => PeftConfig::read(&text, "").map(Some).map_err(|e| at(&beside, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DiffusionError::Io { action: "read", path: beside, source }),
    }
}

fn unknown_alpha() -> String {
    format!(
        "alpha is not known: it is neither in the header ({METADATA}) nor in an {CONFIG_FILE} beside the file; say which \
         it was trained with"
    )
}

fn at(path: &Path, message: String) -> DiffusionError {
    DiffusionError::Lora(format!("{}: {message}", path.display()))
}
