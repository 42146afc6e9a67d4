//! A saved score: `scorer.json` names its form, beside its files.

use super::{AestheticScore, ClassifierScore, ClipScore, ImageReward, Score};
use crate::{Classifier, DiffusionError};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tch::{Device, Kind};

const FILE: &str = "scorer.json";

/// What a folder holds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    Aesthetic,
    ImageReward,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    form: Form,
}

/// Reads the score that a folder holds; frozen, its networks in `kind`. Of a folder without `scorer.json` it is
/// [`ClassifierScore`] if a classifier was saved there, else [`ClipScore`].
///
/// # Errors
/// [`DiffusionError::Io`], [`DiffusionError::Config`] for an unknown form, or as the form's own `load`.
pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Box<dyn Score>, DiffusionError> {
    let path = folder.join(FILE);
    if !path.exists() {
        if Classifier::is_in(folder) {
            return Ok(Box::new(ClassifierScore::load(folder, device)?));
        }
        return Ok(Box::new(ClipScore::load(folder, kind, device)?));
    }
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| DiffusionError::Io { action: "read", path: path.clone(), source })?;
    let wrong =
        |e: serde_json::Error| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() };
    let Description { form } = serde_json::from_str(&text).map_err(wrong)?;
    Ok(match form {
        Form::Aesthetic => Box::new(AestheticScore::load(folder, kind, device)?),
        Form::ImageReward => Box::new(ImageReward::load(folder, kind, device)?),
    })
}

pub(super) fn write(folder: &Path, form: Form) -> Result<(), DiffusionError> {
    let path = folder.join(FILE);
    let text = format!("{:#}\n", serde_json::json!(Description { form }));
    std::fs::write(&path, text).map_err(|source| DiffusionError::Io { action: "write", path, source })
}
