//! `config.json` of a UNet.

use super::UNet2DConditionConfig;
use crate::config_file::{self, ConfigFile};
use crate::error::DiffusionError;
use serde_json::{Value, json};
use std::path::Path;

impl ConfigFile for UNet2DConditionConfig {
    const CLASS: &'static str = "UNet2DConditionModel";

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

    fn check(&self) -> Result<(), DiffusionError> {
        self.check()
    }
}

impl UNet2DConditionConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] naming the field that is wrong or not supported.
    pub fn read(path: &Path) -> Result<Self, DiffusionError> {
        config_file::read(path)
    }

    /// Writes a `config.json` that diffusers opens, with every field.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), DiffusionError> {
        config_file::write(self, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::{from_json, to_json};

    #[test]
    fn defaults_are_those_of_diffusers() {
        assert_eq!(from_json::<UNet2DConditionConfig>("{}").unwrap(), UNet2DConditionConfig::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = UNet2DConditionConfig { use_linear_projection: true, ..Default::default() };
        let text = to_json(&config);
        assert_eq!(from_json::<UNet2DConditionConfig>(&text).unwrap(), config);
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
            assert_eq!(from_json::<UNet2DConditionConfig>(text).unwrap_err(), message);
        }
        for (text, part) in [
            (r#"{"new_field": 1}"#, "unknown field `new_field`"),
            (r#"{"down_block_types": ["AttnDownBlock2D"]}"#, "unknown variant `AttnDownBlock2D`"),
            (r#"{"attention_head_dim": [8, 8]}"#, "attention_head_dim must be one number or 4"),
            (r#"{"norm_num_groups": 7}"#, "block_out_channels[0] = 320 is no multiple of norm_num_groups = 7"),
            (r#"{"addition_embed_type": "text_time"}"#, "addition_embed_type text_time needs"),
            ("[]", "expected a map"),
        ] {
            let error = from_json::<UNet2DConditionConfig>(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn old_files_write_whole_numbers_and_lists() {
        let text = r#"{"resnet_out_scale_factor": 1, "only_cross_attention": [false, false], "_name_or_path": "x", "act_fn": "swish"}"#;
        assert_eq!(from_json::<UNet2DConditionConfig>(text).unwrap(), UNet2DConditionConfig::default());
    }
}
