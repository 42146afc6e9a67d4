//! A saved segmentation network: `config.json` names its form, beside its weights.

use super::{ConvSegmenter, ConvSegmenterConfig, Segment};
use crate::DiffusionError;
use crate::weights::{load_var_store, save_var_store};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tch::{Device, nn};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// What a folder holds. Another network is a variant here and a [`Segment`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Conv(ConvSegmenterConfig),
}

impl ConvSegmenter {
    /// Writes `config.json` and `model.safetensors` into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn save(vs: &nn::VarStore, config: &ConvSegmenterConfig, folder: &Path) -> Result<(), DiffusionError> {
        let path = folder.join(CONFIG);
        let text = format!("{:#}\n", serde_json::json!(Form::Conv(config.clone())));
        std::fs::write(&path, text).map_err(|source| DiffusionError::Io { action: "write", path, source })?;
        save_var_store(vs, &folder.join(WEIGHTS))
    }
}

/// Reads the network that a folder holds; frozen, in float32.
///
/// # Errors
/// [`DiffusionError::Io`], [`DiffusionError::Config`] for an unknown form, or as [`load_var_store`].
pub fn load(folder: &Path, device: Device) -> Result<Box<dyn Segment>, DiffusionError> {
    let path = folder.join(CONFIG);
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| DiffusionError::Io { action: "read", path: path.clone(), source })?;
    let form = serde_json::from_str(&text)
        .map_err(|e| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() })?;
    let mut vs = nn::VarStore::new(device);
    let network: Box<dyn Segment> = match form {
        Form::Conv(config) => Box::new(ConvSegmenter::new(&vs, &config)),
    };
    load_var_store(&vs, &folder.join(WEIGHTS), "")?;
    vs.freeze();
    Ok(network)
}
