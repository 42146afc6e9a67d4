//! The kohya format: flattened keys with an explicit alpha, which diffusers, ComfyUI and A1111 all read.

use super::file::LoraFile;
use super::spelling::{ALPHA, KOHYA, Names, kohya, of_kohya};
use super::{Lora, LoraTarget, text};
use crate::error::DiffusionError;
use crate::weights::{Entry, WeightFile, write_tensors};
use std::path::Path;
use tch::{Device, Tensor};

/// Writes a LoRA with kohya keys: `lora_unet_… .lora_down.weight`, `.lora_up.weight` and `.alpha` for each module, and
/// `lora_te_…`, or `lora_te1_…` and `lora_te2_…`, for those of text encoders.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_kohya(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    write_kohya_with(lora, path, None)
}

/// As [`write_kohya`], with an entry in the header that tells of the LoRA.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_kohya_with(lora: &Lora, path: &Path, entry: Option<Entry<'_>>) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        let key = |part: &str| format!("{}{part}", kohya(module));
        [
            (key(KOHYA.down), layer.down.shallow_clone()),
            (key(KOHYA.up), layer.up.shallow_clone()),
            (key(ALPHA), Tensor::from(layer.alpha as f32)),
        ]
    });
    write_tensors(path, &tensors.collect(), entry)
}

/// Reads a LoRA with kohya keys for a model with the given modules. Frozen, fp32. A module without an alpha has its rank
/// for alpha, as the format has it.
///
/// This is for files that [`write_kohya`] wrote; others are read by [`read_lora`](super::read_lora).
///
/// # Errors
/// [`DiffusionError::Keys`] for keys that fit no module and modules with one half only, [`DiffusionError::Lora`] for
/// shapes that do not fit, [`DiffusionError::NotFinite`] for a weight that is no number; otherwise as [`WeightFile`].
pub fn read_kohya(path: &Path, modules: &[LoraTarget], device: Device) -> Result<Lora, DiffusionError> {
    read(&WeightFile::open(path)?, modules, device, false)
}

/// [`read_kohya`] of a UNet's modules alone; also says in words what there is for text encoders and is left out.
///
/// # Errors
/// As [`read_kohya`].
pub fn read_kohya_unet(
    path: &Path,
    modules: &[LoraTarget],
    device: Device,
) -> Result<(Lora, Vec<String>), DiffusionError> {
    let file = WeightFile::open(path)?;
    Ok((read(&file, modules, device, true)?, text::parts(&file)))
}

fn read(file: &WeightFile, modules: &[LoraTarget], device: Device, drops_text: bool) -> Result<Lora, DiffusionError> {
    let lora = LoraFile { file, modules, names: Names::kohya(modules), device, drops_text };
    lora.read(|adapter, _, rank| Ok(adapter.alpha(file)?.unwrap_or(rank)))
}

/// Reads a LoRA with kohya keys for no model in particular: its modules are the file's own, under their flattened names
/// (`down_blocks_0_…`), under which [`write_kohya`] writes them again. For work on files alone, such as merging.
///
/// # Errors
/// As [`read_kohya`].
pub fn read_kohya_flat(path: &Path, device: Device) -> Result<Lora, DiffusionError> {
    let file = WeightFile::open(path)?;
    let shape = |key: &str| file.shape(key).unwrap_or_default();
    let module = |key: &str| {
        let module = of_kohya(key.strip_suffix(KOHYA.down)?)?;
        let mut weight = shape(key);
        let rows = shape(&format!("{}{}", kohya(&module), KOHYA.up)).first().copied();
        if let (Some(first), Some(rows)) = (weight.first_mut(), rows) {
            *first = rows;
        }
        Some(LoraTarget { path: module, shape: weight })
    };
    let modules: Vec<LoraTarget> = file.keys().filter_map(module).collect();
    read(&file, &modules, device, false)
}
