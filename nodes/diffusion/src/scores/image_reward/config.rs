//! The sizes of an ImageReward. There is no configuration file: the weights say it.

use crate::weights::Weights;
use crate::{DiffusionError, KeyReport};

/// Width of an attention head, in both towers.
const HEAD_WIDTH: i64 = 64;

/// The sizes of both towers. The default is that of the published ImageReward-v1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRewardConfig {
    /// Side of a picture in pixels.
    pub image_size: i64,
    /// Side of a patch in pixels.
    pub patch_size: i64,
    /// The image tower.
    pub vision: TowerConfig,
    /// The text tower.
    pub text: TowerConfig,
    /// Number of tokens.
    pub vocab_size: i64,
    /// The longest sequence of tokens.
    pub max_position_embeddings: i64,
}

/// The sizes of one tower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TowerConfig {
    /// Width of the hidden states; a multiple of 64.
    pub hidden_size: i64,
    /// Width inside the feed-forward layers.
    pub intermediate_size: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
}

impl Default for ImageRewardConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 16,
            vision: TowerConfig { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24 },
            text: TowerConfig { hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12 },
            vocab_size: 30524,
            max_position_embeddings: 512,
        }
    }
}

impl TowerConfig {
    /// Attention heads a layer.
    pub(super) fn heads(&self) -> i64 {
        self.hidden_size / HEAD_WIDTH
    }
}

impl ImageRewardConfig {
    /// The sizes that the shapes of its weights tell.
    ///
    /// # Errors
    /// [`DiffusionError::Keys`] if a key that tells a size is missing, [`DiffusionError::Config`] for sizes that make no
    /// model.
    pub fn of_weights(weights: &Weights) -> Result<Self, DiffusionError> {
        let size = |key: &str, dimension: usize| {
            let shape = weights.shape(key).ok_or_else(|| missing(weights, key))?;
            Ok::<_, DiffusionError>(shape.get(dimension).copied().unwrap_or(0))
        };
        let (patches, words) = ("blip.visual_encoder.patch_embed.proj.weight", "blip.text_encoder.embeddings");
        let (blocks, layers) = ("blip.visual_encoder.blocks.", "blip.text_encoder.encoder.layer.");
        let patch_size = size(patches, 2)?;
        let positions = size("blip.visual_encoder.pos_embed", 1)?;
        let config = Self {
            image_size: ((positions - 1).max(0) as f64).sqrt().round() as i64 * patch_size,
            patch_size,
            vision: TowerConfig {
                hidden_size: size(patches, 0)?,
                intermediate_size: size(&format!("{blocks}0.mlp.fc1.weight"), 0)?,
                num_hidden_layers: count(weights, blocks),
            },
            text: TowerConfig {
                hidden_size: size(&format!("{words}.word_embeddings.weight"), 1)?,
                intermediate_size: size(&format!("{layers}0.intermediate.dense.weight"), 0)?,
                num_hidden_layers: count(weights, layers),
            },
            vocab_size: size(&format!("{words}.word_embeddings.weight"), 0)?,
            max_position_embeddings: size(&format!("{words}.position_embeddings.weight"), 0)?,
        };
        let wrong = |message| DiffusionError::Config { what: weights.path().display().to_string(), message };
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// Says what of this makes no model.
    fn check(&self) -> Result<(), String> {
        if self.patch_size < 1 || self.image_size < self.patch_size {
            return Err(format!("patches of {} pixels do not make pictures of {}", self.patch_size, self.image_size));
        }
        for (tower, name) in [(&self.vision, "visual_encoder"), (&self.text, "text_encoder")] {
            let width = tower.hidden_size;
            if width < HEAD_WIDTH || width % HEAD_WIDTH != 0 {
                return Err(format!("{name} is {width} wide, not a multiple of its heads' {HEAD_WIDTH}"));
            }
        }
        Ok(())
    }

    /// Number of patches of a picture and its class token.
    pub(super) fn positions(&self) -> i64 {
        (self.image_size / self.patch_size).pow(2) + 1
    }
}

fn missing(weights: &Weights, key: &str) -> DiffusionError {
    let report = KeyReport { missing: vec![key.to_owned()], ..Default::default() };
    DiffusionError::Keys { path: weights.path().to_owned(), report }
}

/// One more than the highest number that follows `prefix` in a key.
fn count(weights: &Weights, prefix: &str) -> i64 {
    let number = |key: &str| key.strip_prefix(prefix)?.split('.').next()?.parse::<i64>().ok();
    weights.keys().filter_map(number).max().map_or(0, |last| last + 1)
}
