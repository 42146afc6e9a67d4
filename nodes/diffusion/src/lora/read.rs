//! Reading a LoRA in whatever form it was published.

use super::kohya::read_published;
use super::peft::{CONFIG_FILE, read_peft};
use super::{Lora, LoraTarget};
use crate::DiffusionError;
use crate::weights::WeightFile;
use std::path::{Path, PathBuf};
use tch::Device;

/// The names of LoRA files in folders: peft's, diffusers', and this project's.
const FILES: [&str; 3] = ["adapter_model.safetensors", "pytorch_lora_weights.safetensors", "lora.safetensors"];

/// Reads a LoRA for a model with the given modules: a file with kohya's keys (and modules named as in diffusers or as in
/// the published checkpoints), or with those of diffusers and peft; or the folder that they wrote. Frozen, fp32.
///
/// `alpha` is for what does not say it: diffusers' and peft's files keep alpha in the header or in an
/// `adapter_config.json`, if at all.
///
/// # Errors
/// [`DiffusionError::Lora`] if alpha is not known: to take the rank for it, as diffusers does, would silently scale the
/// LoRA by another number than it was trained with. [`DiffusionError::Keys`] for keys that fit no module and modules with
/// one half only, [`DiffusionError::Lora`] for shapes and configurations that do not fit and for other adapters than a
/// UNet's LoRA; otherwise as [`WeightFile`].
pub fn read_lora(
    path: &Path,
    modules: &[LoraTarget],
    alpha: Option<f64>,
    device: Device,
) -> Result<Lora, DiffusionError> {
    let (path, config) = if path.is_dir() { in_folder(path)? } else { (path.to_owned(), None) };
    let file = WeightFile::open(&path)?;
    let is_kohya = file.keys().any(|key| key.starts_with("lora_"));
    if is_kohya {
        read_published(&file, modules, device)
    } else {
        read_peft(&file, config.as_deref(), modules, alpha, device)
    }
}

/// The LoRA file of a folder and the configuration beside it.
fn in_folder(folder: &Path) -> Result<(PathBuf, Option<PathBuf>), DiffusionError> {
    let there: Vec<_> = FILES.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect();
    let config = Some(folder.join(CONFIG_FILE)).filter(|path| path.exists());
    match there.as_slice() {
        [one] => Ok((one.clone(), config)),
        [] => Err(DiffusionError::Lora(format!("{} has no {}", folder.display(), FILES.join(" or ")))),
        [..] => Err(DiffusionError::Lora(format!("{} has several LoRA files: give one of them", folder.display()))),
    }
}
