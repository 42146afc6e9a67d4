//! Reading a LoRA in whatever form it was published.

use super::kohya::read_published;
use super::peft::{CONFIG_FILE, read_peft};
use super::{Lora, LoraTarget};
use crate::DiffusionError;
use crate::weights::WeightFile;
use std::path::{Path, PathBuf};
use tch::Device;

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
    let io = |source| DiffusionError::Io { action: "read", path: folder.to_owned(), source };
    let entries = folder.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io)?;
    let ends = |path: &PathBuf, end: &str| path.extension().is_some_and(|found| found == end);
    let paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    // A pickle is opened to be refused with what to do about it.
    let of = |end: &str| paths.iter().filter(|path| ends(path, end)).cloned().collect::<Vec<_>>();
    let files = Some(of("safetensors")).filter(|found| !found.is_empty()).unwrap_or_else(|| of("bin"));
    match files.as_slice() {
        [one] => Ok((one.clone(), Some(folder.join(CONFIG_FILE)).filter(|path| path.exists()))),
        [] => Err(DiffusionError::Lora(format!("{} has no safetensors file", folder.display()))),
        [..] => Err(DiffusionError::Lora(format!("{} has several safetensors files: give one", folder.display()))),
    }
}
