//! `config.json` as transformers writes it. Fields that these models do not have are not read.

use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The activation of the feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenAct {
    /// `x · sigmoid(1.702 x)`, OpenAI's.
    QuickGelu,
    /// `x · Φ(x)`, exact: OpenCLIP's.
    Gelu,
}

impl HiddenAct {
    pub(super) fn forward(self, x: &Tensor) -> Tensor {
        match self {
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Gelu => x.gelu("none"),
        }
    }
}

/// Configuration of the text tower. The default is that of ViT-B/32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
    /// Number of tokens.
    pub vocab_size: i64,
    /// Width of the hidden states.
    pub hidden_size: i64,
    /// Width inside the feed-forward layers.
    pub intermediate_size: i64,
    /// Width of the joint space with pictures.
    pub projection_dim: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads a layer.
    pub num_attention_heads: i64,
    /// The longest sequence of tokens.
    pub max_position_embeddings: i64,
    /// The activation of the feed-forward layers.
    pub hidden_act: HiddenAct,
    /// ε of the layer norms.
    pub layer_norm_eps: f64,
    /// Factor on the deviations of fresh weights.
    pub initializer_factor: f64,
    /// The token that pads. Not used by the model.
    pub pad_token_id: Option<i64>,
    /// The token that begins a sequence. Not used by the model.
    pub bos_token_id: Option<i64>,
    /// The token whose state stands for the sequence; 2, which old files have wrongly, means the highest id in it.
    pub eos_token_id: i64,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: HiddenAct::QuickGelu,
            layer_norm_eps: 1e-5,
            initializer_factor: 1.0,
            pad_token_id: Some(1),
            bos_token_id: Some(49406),
            eos_token_id: 49407,
        }
    }
}

/// Configuration of the image tower. The default is that of ViT-B/32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipVisionConfig {
    /// Width of the hidden states.
    pub hidden_size: i64,
    /// Width inside the feed-forward layers.
    pub intermediate_size: i64,
    /// Width of the joint space with text.
    pub projection_dim: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads a layer.
    pub num_attention_heads: i64,
    /// Channels of a picture.
    pub num_channels: i64,
    /// Side of a picture in pixels.
    pub image_size: i64,
    /// Side of a patch in pixels.
    pub patch_size: i64,
    /// The activation of the feed-forward layers.
    pub hidden_act: HiddenAct,
    /// ε of the layer norms.
    pub layer_norm_eps: f64,
    /// Deviation of fresh patch and position embeddings.
    pub initializer_range: f64,
    /// Factor on the deviations of fresh weights.
    pub initializer_factor: f64,
}

impl Default for ClipVisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: HiddenAct::QuickGelu,
            layer_norm_eps: 1e-5,
            initializer_range: 0.02,
            initializer_factor: 1.0,
        }
    }
}

/// Configuration of both towers and their joint space. The default is that of ViT-B/32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipConfig {
    /// The text tower. Its `projection_dim` has no meaning here.
    pub text_config: ClipTextConfig,
    /// The image tower. Its `projection_dim` has no meaning here.
    pub vision_config: ClipVisionConfig,
    /// Width of the joint space.
    pub projection_dim: i64,
    /// Logarithm of the factor on fresh logits.
    pub logit_scale_init_value: f64,
    /// Factor on the deviations of fresh projections.
    pub initializer_factor: f64,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            text_config: ClipTextConfig::default(),
            vision_config: ClipVisionConfig::default(),
            projection_dim: 512,
            logit_scale_init_value: 2.6592,
            initializer_factor: 1.0,
        }
    }
}

impl ClipTextConfig {
    /// Says what of this makes no model.
    pub(super) fn check(&self) -> Result<(), String> {
        check_tower(self.hidden_size, self.num_attention_heads, self.num_hidden_layers)
    }
}

impl ClipVisionConfig {
    /// Says what of this makes no model.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.patch_size < 1 || self.image_size < self.patch_size {
            return Err(format!("patch_size {} is not in 1..=image_size {}", self.patch_size, self.image_size));
        }
        check_tower(self.hidden_size, self.num_attention_heads, self.num_hidden_layers)
    }

    /// Number of patches of a picture and its class token.
    pub(super) fn positions(&self) -> i64 {
        (self.image_size / self.patch_size).pow(2) + 1
    }
}

fn check_tower(width: i64, heads: i64, layers: i64) -> Result<(), String> {
    if width < 1 || layers < 1 {
        return Err(format!("hidden_size {width} and num_hidden_layers {layers} must be at least 1"));
    }
    if heads < 1 || width % heads != 0 {
        return Err(format!("hidden_size {width} is not a multiple of num_attention_heads {heads}"));
    }
    Ok(())
}
