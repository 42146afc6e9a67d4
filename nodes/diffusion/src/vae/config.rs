//! The configuration of a VAE, as in diffusers' `config.json`.

use crate::config_file::{self, ConfigFile};
use crate::error::DiffusionError;
use crate::layers::{Activation, ResnetConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Of every norm.
pub(super) const NORM_EPS: f64 = 1e-6;

/// A block on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownEncoderBlockType {
    /// ResNet blocks.
    DownEncoderBlock2D,
}

/// A block on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpDecoderBlockType {
    /// ResNet blocks.
    UpDecoderBlock2D,
}

/// The configuration. Names, meanings and defaults are those of diffusers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderKlConfig {
    /// Channels of a picture.
    pub in_channels: i64,
    /// Channels of a decoded picture.
    pub out_channels: i64,
    /// The encoder's blocks.
    pub down_block_types: Vec<DownEncoderBlockType>,
    /// The decoder's blocks.
    pub up_block_types: Vec<UpDecoderBlockType>,
    /// Channels of each block, from the picture inwards.
    pub block_out_channels: Vec<i64>,
    /// ResNet blocks in each of the encoder's blocks; one more in the decoder's.
    pub layers_per_block: i64,
    /// The ResNet blocks' activation; the last one of encoder and decoder is SiLU.
    pub act_fn: Activation,
    /// Channels of a latent.
    pub latent_channels: i64,
    /// Groups of the group norms.
    pub norm_num_groups: i64,
    /// Side of a picture, and of a tile where pictures are coded in tiles. The model takes any size.
    pub sample_size: i64,
    /// Latents are multiplied by this for the UNet.
    pub scaling_factor: f64,
    /// Is taken from latents before they are multiplied.
    pub shift_factor: Option<f64>,
    /// Each channel's mean; with `latents_std` in the place of `shift_factor`.
    pub latents_mean: Option<Vec<f64>>,
    /// Each channel's deviation, by which latents are divided.
    pub latents_std: Option<Vec<f64>>,
    /// Whether a model that is asked for in float16 must be one of float32, because it overflows.
    pub force_upcast: bool,
    /// Whether a 1×1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution comes before the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the middle blocks have attention.
    pub mid_block_add_attention: bool,
}

impl Default for AutoencoderKlConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            down_block_types: vec![DownEncoderBlockType::DownEncoderBlock2D],
            up_block_types: vec![UpDecoderBlockType::UpDecoderBlock2D],
            block_out_channels: vec![64],
            layers_per_block: 1,
            act_fn: Activation::default(),
            latent_channels: 4,
            norm_num_groups: 32,
            sample_size: 32,
            scaling_factor: 0.18215,
            shift_factor: None,
            latents_mean: None,
            latents_std: None,
            force_upcast: true,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
        }
    }
}

impl AutoencoderKlConfig {
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

    /// Pixels on a latent's side.
    pub fn downsampling(&self) -> i64 {
        1 << (self.blocks() - 1)
    }

    /// Number of blocks of the encoder, and of the decoder.
    pub(super) fn blocks(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Channels of the block in the middle.
    pub(super) fn inner_channels(&self) -> i64 {
        self.block_out_channels[self.blocks() - 1]
    }

    /// What all ResNet blocks share.
    pub(super) fn resnet(&self) -> ResnetConfig {
        ResnetConfig {
            groups: self.norm_num_groups,
            eps: NORM_EPS,
            act: self.act_fn,
            time: None,
            output_scale_factor: 1.0,
        }
    }

    /// That the parts fit each other.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] naming the first field that does not.
    pub fn check(&self) -> Result<(), DiffusionError> {
        self.check_blocks()?;
        self.check_latents()
    }

    fn check_blocks(&self) -> Result<(), DiffusionError> {
        let n = self.blocks();
        require((1..32).contains(&n), "block_out_channels must have 1 to 31 entries")?;
        let each = |field| format!("{field} must have one entry for each of block_out_channels");
        require(self.down_block_types.len() == n, &each("down_block_types"))?;
        require(self.up_block_types.len() == n, &each("up_block_types"))?;
        for (field, value) in [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("layers_per_block", self.layers_per_block),
            ("latent_channels", self.latent_channels),
            ("norm_num_groups", self.norm_num_groups),
            ("sample_size", self.sample_size),
        ] {
            require(value > 0, &format!("{field} must be positive"))?;
        }
        let groups = self.norm_num_groups;
        for (i, &channels) in self.block_out_channels.iter().enumerate() {
            let message = format!("block_out_channels[{i}] = {channels} is no multiple of norm_num_groups = {groups}");
            require(channels > 0 && channels % groups == 0, &message)?;
        }
        Ok(())
    }

    fn check_latents(&self) -> Result<(), DiffusionError> {
        require(self.scaling_factor > 0.0, "scaling_factor must be positive")?;
        for (field, values) in [("latents_mean", &self.latents_mean), ("latents_std", &self.latents_std)] {
            let fits = values.as_ref().is_none_or(|values| values.len() as i64 == self.latent_channels);
            require(fits, &format!("{field} must have one number for each of {} channels", self.latent_channels))?;
        }
        let positive = self.latents_std.iter().flatten().all(|&std| std > 0.0);
        require(positive, "latents_std must be positive")
    }
}

impl ConfigFile for AutoencoderKlConfig {
    const CLASS: &'static str = "AutoencoderKL";

    fn fixed_fields() -> Value {
        json!({})
    }

    fn check(&self) -> Result<(), DiffusionError> {
        self.check()
    }
}

fn require(holds: bool, message: &str) -> Result<(), DiffusionError> {
    config_file::require(AutoencoderKlConfig::CLASS, holds, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::{from_json, to_json};

    #[test]
    fn defaults_and_what_is_written_are_read_back() {
        assert_eq!(from_json::<AutoencoderKlConfig>("{}").unwrap(), AutoencoderKlConfig::default());
        let config = AutoencoderKlConfig { scaling_factor: 0.13025, ..Default::default() };
        assert_eq!(from_json::<AutoencoderKlConfig>(&to_json(&config)).unwrap(), config);
    }

    #[test]
    fn what_makes_no_model_is_refused_by_name() {
        for (text, part) in [
            (r#"{"new_field": 1}"#, "unknown field `new_field`"),
            (r#"{"_class_name": "AutoencoderTiny"}"#, "_class_name is AutoencoderTiny, not AutoencoderKL"),
            (r#"{"up_block_types": ["AttnUpDecoderBlock2D"]}"#, "unknown variant `AttnUpDecoderBlock2D`"),
            (r#"{"block_out_channels": []}"#, "block_out_channels must have 1 to 31 entries"),
            (r#"{"block_out_channels": [32, 64]}"#, "down_block_types must have one entry for each of"),
            (r#"{"norm_num_groups": 7}"#, "block_out_channels[0] = 64 is no multiple of norm_num_groups = 7"),
            (r#"{"latents_mean": [0.0]}"#, "latents_mean must have one number for each of 4 channels"),
            (r#"{"latents_std": [1, 1, 0, 1]}"#, "latents_std must be positive"),
            (r#"{"sample_size": 0}"#, "sample_size must be positive"),
        ] {
            let error = from_json::<AutoencoderKlConfig>(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
