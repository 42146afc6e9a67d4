//! `unet/` folders of diffusers: `config.json` and the weights.

use super::{UNet2DConditionConfig, UNet2DConditionModel};
use crate::DiffusionError;
use crate::weights::{Weights, find_weights, load_pretrained, save_var_store};
use std::path::Path;
use tch::{Device, Kind, nn};

const CONFIG: &str = "config.json";
const STEM: &str = "diffusion_pytorch_model";

/// Opens a `unet/` folder; the variables are trainable, and of `kind` whatever the file's dtype.
///
/// # Errors
/// As [`UNet2DConditionConfig::read`] and [`load_pretrained`].
pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<(nn::VarStore, UNet2DConditionModel), DiffusionError> {
    let config = UNet2DConditionConfig::read(&folder.join(CONFIG))?;
    let mut vs = nn::VarStore::new(device);
    vs.set_kind(kind);
    let unet = UNet2DConditionModel::new(&vs, &config)?;
    load_pretrained(&vs, &weights(folder)?, |key| Some(key.to_owned()))?;
    Ok((vs, unet))
}

/// The weights of a `unet/` folder, on disk.
///
/// # Errors
/// As [`find_weights`].
pub fn weights(folder: &Path) -> Result<Weights, DiffusionError> {
    find_weights(folder, STEM, None)
}

/// Writes a `unet/` folder, made if need be.
///
/// # Errors
/// [`DiffusionError::Io`].
pub fn save(folder: &Path, vs: &nn::VarStore, config: &UNet2DConditionConfig) -> Result<(), DiffusionError> {
    let io = |source| DiffusionError::Io { action: "create", path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    config.write(&folder.join(CONFIG))?;
    save_var_store(vs, &folder.join(format!("{STEM}.safetensors")))
}
