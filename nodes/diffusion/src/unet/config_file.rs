//! `config.json` as diffusers writes it. What is not supported is refused by name, never ignored.

use super::UNet2DConditionConfig;
use crate::error::DiffusionError;
use serde_json::{Map, Value, json};
use std::path::Path;

const CLASS: &str = "UNet2DConditionModel";
/// The version whose fields these are.
const DIFFUSERS: &str = "0.42.0";

/// Fields of which one value is supported, and that value.
fn fixed_fields() -> Value {
    json!({
        "center_input_sample": false,
        "only_cross_attention": false,
        "dropout": 0.0,
        "reverse_transformer_layers_per_block": null,
        "encoder_hid_dim": null,
        "encoder_hid_dim_type": null,
        "num_attention_heads": null,
        "dual_cross_attention": false,
        "class_embed_type": null,
        "num_class_embeds": null,
        "resnet_skip_time_act": false,
        "resnet_out_scale_factor": 1.0,
        "time_embedding_type": "positional",
        "time_embedding_dim": null,
        "time_embedding_act_fn": null,
        "timestep_post_act": null,
        "time_cond_proj_dim": null,
        "conv_in_kernel": 3,
        "conv_out_kernel": 3,
        "attention_type": "default",
        "class_embeddings_concat": false,
        "mid_block_only_cross_attention": null,
        "cross_attention_norm": null,
        "addition_embed_type_num_heads": 64,
    })
}

impl UNet2DConditionConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] naming the field that is wrong or not supported.
    pub fn read(path: &Path) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::from_json(&text).map_err(|message| DiffusionError::Config { what: path.display().to_string(), message })
    }

    /// Writes a `config.json` that diffusers opens, with every field.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), DiffusionError> {
        let io = |source| DiffusionError::Io { action: "write", path: path.to_owned(), source };
        std::fs::write(path, self.to_json()).map_err(io)
    }

    fn from_json(text: &str) -> Result<Self, String> {
        let mut fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        match fields.get("_class_name").and_then(Value::as_str) {
            Some(CLASS) | None => {}
            Some(class) => return Err(format!("_class_name is {class}, not {CLASS}")),
        }
        fields.retain(|name, _| !name.starts_with('_'));
        if let Value::Object(fixed) = fixed_fields() {
            for (name, supported) in &fixed {
                take_fixed(&mut fields, name, supported)?;
            }
        }
        let config: Self = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    fn to_json(&self) -> String {
        let mut all = json!({"_class_name": CLASS, "_diffusers_version": DIFFUSERS});
        for part in [json!(self), fixed_fields()] {
            if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
                all.extend(part);
            }
        }
        format!("{all:#}\n")
    }
}

/// Takes a field of which one value is supported out of `fields`.
fn take_fixed(fields: &mut Map<String, Value>, name: &str, supported: &Value) -> Result<(), String> {
    match fields.remove(name) {
        Some(value) if !same(&value, supported) => Err(format!("{name} is {value}; only {supported} is supported")),
        _ => Ok(()),
    }
}

/// Equal, or equal as numbers, or a list of equals.
fn same(value: &Value, supported: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(|v| same(v, supported)),
        Value::Number(_) => value.as_f64() == supported.as_f64(),
        _ => value == supported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_diffusers() {
        assert_eq!(UNet2DConditionConfig::from_json("{}").unwrap(), UNet2DConditionConfig::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = UNet2DConditionConfig { use_linear_projection: true, ..Default::default() };
        let text = config.to_json();
        assert_eq!(UNet2DConditionConfig::from_json(&text).unwrap(), config);
        assert!(text.starts_with("{\n  \"_class_name\": \"UNet2DConditionModel\""), "{text}");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (text, message) in [
            (r#"{"dual_cross_attention": true}"#, "dual_cross_attention is true; only false is supported"),
            (r#"{"class_embed_type": "timestep"}"#, r#"class_embed_type is "timestep"; only null is supported"#),
            (
                r#"{"only_cross_attention": [true, false]}"#,
                "only_cross_attention is [true,false]; only false is supported",
            ),
            (r#"{"resnet_out_scale_factor": 2}"#, "resnet_out_scale_factor is 2; only 1.0 is supported"),
            (r#"{"_class_name": "UNet2DModel"}"#, "_class_name is UNet2DModel, not UNet2DConditionModel"),
        ] {
            assert_eq!(UNet2DConditionConfig::from_json(text).unwrap_err(), message);
        }
        for (text, part) in [
            (r#"{"new_field": 1}"#, "unknown field `new_field`"),
            (r#"{"down_block_types": ["AttnDownBlock2D"]}"#, "unknown variant `AttnDownBlock2D`"),
            (r#"{"attention_head_dim": [8, 8]}"#, "attention_head_dim must be one number or 4"),
            (r#"{"norm_num_groups": 7}"#, "block_out_channels[0] = 320 is no multiple of norm_num_groups = 7"),
            (r#"{"addition_embed_type": "text_time"}"#, "addition_embed_type text_time needs"),
            ("[]", "expected a map"),
        ] {
            let error = UNet2DConditionConfig::from_json(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn old_files_write_whole_numbers_and_lists() {
        let text = r#"{"resnet_out_scale_factor": 1, "only_cross_attention": [false, false], "_name_or_path": "x", "act_fn": "swish"}"#;
        assert_eq!(UNet2DConditionConfig::from_json(text).unwrap(), UNet2DConditionConfig::default());
    }
}
