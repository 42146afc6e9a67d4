//! Folders of transformers: `config.json` and `model.safetensors`.

use super::init::{Law, init_weights};
use super::{
    ClipConfig, ClipModel, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipVisionConfig,
    ClipVisionModelWithProjection,
};
use crate::DiffusionError;
use crate::weights::{find_weights, is_position_ids, load_pretrained, save_var_store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use tch::{Device, Kind, nn};

const CONFIG: &str = "config.json";
const STEM: &str = "model";

/// A model that transformers opens by `from_pretrained`.
pub trait Pretrained: Sized {
    /// Its configuration.
    type Config: Serialize + DeserializeOwned;
    /// The Python class.
    const CLASS: &'static str;
    /// `model_type` in `config.json`.
    const TYPE: &'static str;
    /// The field of a joint model's configuration that holds this one's.
    const PART: Option<&'static str>;
    /// First components of its keys.
    const KEYS: &'static [&'static str];

    /// The model, its variables added to `vs`, not yet numbers.
    fn build(vs: &nn::Path<'_>, config: &Self::Config) -> Self;
    /// What of a configuration makes no model.
    fn check(config: &Self::Config) -> Result<(), String>;
    /// Gives every variable of `vs` a fresh value, a function of (seed, name).
    fn init_weights(vs: &nn::VarStore, config: &Self::Config, seed: u64);
}

/// A model with fresh weights, in float32.
///
/// # Errors
/// [`DiffusionError::Config`] for a configuration that makes no model.
pub fn new<M: Pretrained>(config: &M::Config, seed: u64, device: Device) -> Result<(nn::VarStore, M), DiffusionError> {
    M::check(config).map_err(|message| DiffusionError::Config { what: M::CLASS.into(), message })?;
    let vs = nn::VarStore::new(device);
    let model = M::build(&vs.root(), config);
    M::init_weights(&vs, config, seed);
    Ok((vs, model))
}

/// Writes `config.json` and `model.safetensors` into a folder, which is made if need be.
///
/// # Errors
/// [`DiffusionError::Io`], or what the weight file says.
pub fn save<M: Pretrained>(folder: &Path, vs: &nn::VarStore, config: &M::Config) -> Result<(), DiffusionError> {
    write_config::<M>(folder, config)?;
    save_var_store(vs, &folder.join(format!("{STEM}.safetensors")))
}

/// Writes `config.json` into a folder, which is made if need be.
pub(crate) fn write_config<M: Pretrained>(folder: &Path, config: &M::Config) -> Result<(), DiffusionError> {
    std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    let path = folder.join(CONFIG);
    std::fs::write(&path, format!("{:#}\n", config_json::<M>(config))).map_err(io("write", &path))
}

/// Opens a folder that [`save`] or transformers wrote. A tower also opens from a joint model's folder.
///
/// The keys must be those of the model, but for `position_ids`, which old files have, and the prefix `text_model.`, which
/// transformers 5 leaves out of a bare text encoder.
///
/// # Errors
/// [`DiffusionError::Config`] for a configuration that makes no such model, [`DiffusionError::Keys`] listing every key
/// that does not fit, [`DiffusionError::Io`], or what the weight file says.
pub fn load<M: Pretrained>(
    folder: &Path,
    kind: Kind,
    device: Device,
) -> Result<(nn::VarStore, M, M::Config), DiffusionError> {
    let config = read_config::<M>(folder)?;
    let mut vs = nn::VarStore::new(device);
    vs.set_kind(kind);
    let model = M::build(&vs.root(), &config);
    load_pretrained(&vs, &find_weights(folder, STEM, None)?, name_of::<M>)?;
    Ok((vs, model, config))
}

fn config_json<M: Pretrained>(config: &M::Config) -> Value {
    let mut json = json!({"architectures": [M::CLASS], "model_type": M::TYPE});
    if let (Value::Object(all), Value::Object(fields)) = (&mut json, json!(config)) {
        all.extend(fields);
    }
    json
}

/// Reads and checks `config.json` of a folder.
pub(crate) fn read_config<M: Pretrained>(folder: &Path) -> Result<M::Config, DiffusionError> {
    let path = &folder.join(CONFIG);
    let wrong = |message| DiffusionError::Config { what: path.display().to_string(), message };
    let text = std::fs::read_to_string(path).map_err(io("read", path))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let config = serde_json::from_value(own_part::<M>(json).map_err(wrong)?).map_err(|e| wrong(e.to_string()))?;
    M::check(&config).map_err(wrong)?;
    Ok(config)
}

/// The part of a `config.json` that configures this model.
fn own_part<M: Pretrained>(mut json: Value) -> Result<Value, String> {
    match (json["model_type"].as_str(), M::PART) {
        (Some("clip"), Some(part)) => {
            let joint = json["projection_dim"].take();
            let mut own = json[part].take();
            // A joint model's own width counts, not the towers'.
            if let (Some(own), false) = (own.as_object_mut(), joint.is_null()) {
                own.insert("projection_dim".into(), joint);
            }
            Ok(own)
        }
        (Some(other), _) if other != M::TYPE => Err(format!("model_type is {other}, not {}", M::TYPE)),
        _ => Ok(json),
    }
}

/// The model's name of a key, unless the key is known to be of no use to it.
pub(crate) fn name_of<M: Pretrained>(key: &str) -> Option<String> {
    let first = key.split('.').next().unwrap_or_default();
    // Another part of a joint model.
    let elsewhere = M::PART.is_some() && ClipModel::KEYS.contains(&first) && !M::KEYS.contains(&first);
    let own = !elsewhere && !is_position_ids(key);
    own.then(|| match (M::TYPE, first) {
        ("clip_text_model", "embeddings" | "encoder" | "final_layer_norm") => format!("text_model.{key}"),
        _ => key.to_owned(),
    })
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> DiffusionError + 'a {
    move |source| DiffusionError::Io { action, path: path.to_owned(), source }
}

/// The same but for their names.
macro_rules! pretrained {
    ($model:ty, $config:ty, $class:literal, $type:literal, $part:expr, $keys:expr, $check:expr) => {
        impl Pretrained for $model {
            type Config = $config;
            const CLASS: &'static str = $class;
            const TYPE: &'static str = $type;
            const PART: Option<&'static str> = $part;
            const KEYS: &'static [&'static str] = &$keys;

            fn build(vs: &nn::Path<'_>, config: &$config) -> Self {
                Self::new(vs, config)
            }

            fn check(config: &$config) -> Result<(), String> {
                $check(config)
            }

            fn init_weights(vs: &nn::VarStore, config: &$config, seed: u64) {
                init_weights(vs, seed, |name: &str| -> Law { config.law(name) });
            }
        }
    };
}

pretrained!(
    ClipTextModel,
    ClipTextConfig,
    "CLIPTextModel",
    "clip_text_model",
    Some("text_config"),
    ["text_model"],
    ClipTextConfig::check
);
pretrained!(
    ClipTextModelWithProjection,
    ClipTextConfig,
    "CLIPTextModelWithProjection",
    "clip_text_model",
    Some("text_config"),
    ["text_model", "text_projection"],
    ClipTextConfig::check
);
pretrained!(
    ClipVisionModelWithProjection,
    ClipVisionConfig,
    "CLIPVisionModelWithProjection",
    "clip_vision_model",
    Some("vision_config"),
    ["vision_model", "visual_projection"],
    ClipVisionConfig::check
);
pretrained!(
    ClipModel,
    ClipConfig,
    "CLIPModel",
    "clip",
    None,
    ["text_model", "vision_model", "text_projection", "visual_projection", "logit_scale"],
    |config: &ClipConfig| config.text_config.check().and_then(|()| config.vision_config.check())
);
