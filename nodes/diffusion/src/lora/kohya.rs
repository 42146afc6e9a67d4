//! The kohya format: flattened keys with an explicit alpha, which diffusers, ComfyUI and A1111 all read.

use super::checkpoint::Checkpoint;
use super::file::Format;
use super::{Lora, LoraTarget};
use crate::error::DiffusionError;
use crate::weights::{WeightFile, write_tensors};
use std::path::Path;
use tch::{Device, Tensor};

const ALPHA: &str = ".alpha";
const KOHYA: Format =
    Format { prefix: "lora_unet_", dot: "_", down: ".lora_down.weight", up: ".lora_up.weight", alpha: Some(ALPHA) };

/// Writes a LoRA with kohya keys: `lora_unet_… .lora_down.weight`, `.lora_up.weight` and `.alpha` for each module.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_kohya(lora: &Lora, path: &Path) -> Result<(), DiffusionError> {
    let tensors = lora.layers.iter().flat_map(|(module, layer)| {
        [
            (KOHYA.key(module, KOHYA.down), layer.down.shallow_clone()),
            (KOHYA.key(module, KOHYA.up), layer.up.shallow_clone()),
            (KOHYA.key(module, ALPHA), Tensor::from(layer.alpha as f32)),
        ]
    });
    write_tensors(path, &tensors.collect(), None)
}

/// Reads a LoRA with kohya keys for a model with the given modules. Frozen, fp32. A module without an alpha has its rank
/// for alpha, as the format has it.
///
/// This is for files that [`write_kohya`] wrote; others are read by [`read_lora`](super::read_lora).
///
/// # Errors
/// [`DiffusionError::Keys`] for keys that fit no module and modules with one half only, [`DiffusionError::Lora`] for
/// shapes that do not fit; otherwise as [`WeightFile`].
pub fn read_kohya(path: &Path, modules: &[LoraTarget], device: Device) -> Result<Lora, DiffusionError> {
    KOHYA.read(&WeightFile::open(path)?, modules, device)
}

/// As [`read_kohya`], of a file that may call modules as the published checkpoints do (`lora_unet_input_blocks_1_1_…`).
pub(super) fn read_published(
    file: &WeightFile,
    modules: &[LoraTarget],
    device: Device,
) -> Result<Lora, DiffusionError> {
    let checkpoint = Checkpoint::of(modules);
    let own = modules.iter().map(|module| (KOHYA.name(&module.path), module.path.as_str()));
    let theirs = modules.iter().filter_map(|module| Some((KOHYA.name(&checkpoint.name(&module.path)?), &*module.path)));
    KOHYA.read_named(file, modules, &own.chain(theirs).collect(), device)
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
        let module = key.strip_suffix(KOHYA.down)?.strip_prefix(KOHYA.prefix)?.to_owned();
        let mut weight = shape(key);
        let rows = shape(&KOHYA.key(&module, KOHYA.up)).first().copied();
        if let (Some(first), Some(rows)) = (weight.first_mut(), rows) {
            *first = rows;
        }
        Some(LoraTarget { path: module, shape: weight })
    };
    let modules: Vec<LoraTarget> = file.keys().filter_map(module).collect();
    KOHYA.read(&file, &modules, device)
}
