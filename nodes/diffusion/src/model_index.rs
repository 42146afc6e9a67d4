//! `model_index.json`: which parts a model folder has.

use crate::DiffusionError;
use serde_json::{Map, Value, json};
use std::path::Path;

const FILE: &str = "model_index.json";
/// The version of diffusers whose files these are; written where diffusers writes its own.
const DIFFUSERS: &str = "0.35.0";

/// The parts of a Stable Diffusion model folder besides UNet, scheduler, tokenizer and text encoder, which all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelIndex {
    /// Whether there are `tokenizer_2` and `text_encoder_2`, as SDXL has.
    pub text_encoder_2: bool,
    /// Whether there is a `vae`; a model without one draws pixels.
    pub vae: bool,
    /// Whether SDXL takes zeros where there is no prompt, instead of what its encoders make of an empty one.
    pub force_zeros_for_empty_prompt: bool,
}

impl ModelIndex {
    /// Reads `model_index.json` of a model folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] for a malformed file, a part of an unknown class, or one that
    /// is missing.
    pub fn read(model: &Path) -> Result<Self, DiffusionError> {
        let path = model.join(FILE);
        let io = |source| DiffusionError::Io { action: "read", path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(io)?;
        Self::from_json(&text).map_err(|message| DiffusionError::Config { what: path.display().to_string(), message })
    }

    /// Writes `model_index.json` into a model folder.
    ///
    /// `scheduler` is the Python class that opens `scheduler/`.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, model: &Path, scheduler: &str) -> Result<(), DiffusionError> {
        let io = |action| move |source| DiffusionError::Io { action, path: model.to_owned(), source };
        std::fs::create_dir_all(model).map_err(io("create"))?;
        std::fs::write(model.join(FILE), format!("{:#}\n", self.to_json(scheduler))).map_err(io("write an index into"))
    }

    fn from_json(text: &str) -> Result<Self, String> {
        let parts: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        for (name, class) in [("unet", "UNet2DConditionModel"), ("text_encoder", "CLIPTextModel")] {
            if !has(&parts, name, class)? {
                return Err(format!("there is no {name}, without which no picture is drawn here"));
            }
        }
        Ok(Self {
            text_encoder_2: has(&parts, "text_encoder_2", "CLIPTextModelWithProjection")?,
            vae: has(&parts, "vae", "AutoencoderKL")?,
            force_zeros_for_empty_prompt: parts.get("force_zeros_for_empty_prompt") != Some(&Value::Bool(false)),
        })
    }

    fn to_json(self, scheduler: &str) -> Value {
        let none = json!([null, null]);
        let mut parts = json!({
            "_diffusers_version": DIFFUSERS,
            "feature_extractor": none,
            "image_encoder": none,
            "scheduler": ["diffusers", scheduler],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": if self.vae { json!(["diffusers", "AutoencoderKL"]) } else { none.clone() },
        });
        let own = if self.text_encoder_2 {
            json!({
                "_class_name": "StableDiffusionXLPipeline",
                "force_zeros_for_empty_prompt": self.force_zeros_for_empty_prompt,
                "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
                "tokenizer_2": ["transformers", "CLIPTokenizer"],
            })
        } else {
            json!({
                "_class_name": "StableDiffusionPipeline",
                "requires_safety_checker": false,
                "safety_checker": none,
            })
        };
        if let (Value::Object(parts), Value::Object(own)) = (&mut parts, own) {
            parts.extend(own);
            parts.sort_keys();
        }
        parts
    }
}

/// Whether a part is there; another class than the one that is supported is an error.
fn has(parts: &Map<String, Value>, name: &str, class: &str) -> Result<bool, String> {
    match parts.get(name).map(|part| &part[1]) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::String(found)) if found == class => Ok(true),
        Some(found) => Err(format!("{name} is of class {found}, and only {class} is supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDXL: ModelIndex = ModelIndex { text_encoder_2: true, vae: true, force_zeros_for_empty_prompt: true };

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let sd = ModelIndex { text_encoder_2: false, vae: false, force_zeros_for_empty_prompt: true };
        for index in [SDXL, ModelIndex { force_zeros_for_empty_prompt: false, ..SDXL }, sd] {
            index.write(folder.path(), "DDIMScheduler").unwrap();
            assert_eq!(ModelIndex::read(folder.path()).unwrap(), index);
        }
    }

    #[test]
    fn other_models_are_refused_by_part() {
        let refused = |change: Value| {
            let mut json = SDXL.to_json("DDIMScheduler");
            json.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            ModelIndex::from_json(&json.to_string()).unwrap_err()
        };
        let error = refused(json!({"text_encoder": ["transformers", "T5EncoderModel"]}));
        assert_eq!(error, "text_encoder is of class \"T5EncoderModel\", and only CLIPTextModel is supported");
        let error = refused(json!({"text_encoder": [null, null]}));
        assert_eq!(error, "there is no text_encoder, without which no picture is drawn here");
        assert!(refused(json!({"unet": "x"})).starts_with("there is no unet"));
        assert!(ModelIndex::from_json("[]").is_err());
    }
}
