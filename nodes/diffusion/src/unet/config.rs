//! The configuration of a UNet, as in diffusers' `config.json`.

use crate::config_file::{self, ConfigFile};
use crate::error::DiffusionError;
use crate::layers::{Activation, ResnetConfig, TimeScaleShift};
use serde::{Deserialize, Serialize};

/// One value for all blocks or one for each, from the input inwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerBlock<T> {
    /// The same everywhere.
    Same(T),
    /// One for each block.
    Each(Vec<T>),
}

impl<T: Copy> PerBlock<T> {
    /// The value for block `i`; a configuration that passed its check has one.
    pub fn get(&self, i: usize) -> T {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values[i],
        }
    }

    fn fits(&self, blocks: usize) -> bool {
        matches!(self, Self::Same(_)) || matches!(self, Self::Each(values) if values.len() == blocks)
    }
}

/// A block on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownBlockType {
    /// ResNet blocks.
    DownBlock2D,
    /// ResNet blocks, each followed by a transformer.
    CrossAttnDownBlock2D,
}

/// The block in the middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MidBlockType {
    /// ResNet block, transformer, ResNet block.
    #[default]
    UNetMidBlock2DCrossAttn,
}

/// A block on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpBlockType {
    /// ResNet blocks.
    UpBlock2D,
    /// ResNet blocks, each followed by a transformer.
    CrossAttnUpBlock2D,
}

/// What is added to the time embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdditionEmbedType {
    /// SDXL: the pooled text embedding and six numbers about size and crop.
    TextTime,
}

/// The configuration. Names, meanings and defaults are those of diffusers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNet2DConditionConfig {
    /// Side of the sample, or (height, width): what pipelines take by default. The model takes any size.
    pub sample_size: Option<PerBlock<i64>>,
    /// Channels of the sample.
    pub in_channels: i64,
    /// Channels of the output.
    pub out_channels: i64,
    /// Whether the time embedding begins with the cosines.
    pub flip_sin_to_cos: bool,
    /// Shift of the frequencies' denominator.
    pub freq_shift: i64,
    /// The blocks on the way down.
    pub down_block_types: Vec<DownBlockType>,
    /// The block in the middle.
    pub mid_block_type: MidBlockType,
    /// The blocks on the way up.
    pub up_block_types: Vec<UpBlockType>,
    /// Channels of each block.
    pub block_out_channels: Vec<i64>,
    /// ResNet blocks in each block on the way down; one more on the way up.
    pub layers_per_block: PerBlock<i64>,
    /// Padding of the strided convolutions; 0 pads right and bottom only.
    pub downsample_padding: i64,
    /// The middle ResNet blocks' output is divided by this.
    pub mid_block_scale_factor: f64,
    /// The activation function.
    pub act_fn: Activation,
    /// Groups of the group norms.
    pub norm_num_groups: i64,
    /// Epsilon of the ResNet blocks' norms.
    pub norm_eps: f64,
    /// Width of the text embedding.
    pub cross_attention_dim: PerBlock<i64>,
    /// Transformer blocks in each transformer.
    pub transformer_layers_per_block: PerBlock<i64>,
    /// The *number* of attention heads: published configurations carry it under this name.
    pub attention_head_dim: PerBlock<i64>,
    /// Whether transformers project by linear layers instead of 1×1 convolutions.
    pub use_linear_projection: bool,
    /// What is added to the time embedding.
    pub addition_embed_type: Option<AdditionEmbedType>,
    /// Width of the embedding of each added number.
    pub addition_time_embed_dim: Option<i64>,
    /// Width of the pooled text embedding and all embedded numbers together.
    pub projection_class_embeddings_input_dim: Option<i64>,
    /// Kept for diffusers, where it means nothing with scaled-dot-product attention, which is what both use. SDXL's is null.
    pub upcast_attention: Option<bool>,
    /// How the time embedding enters.
    pub resnet_time_scale_shift: TimeScaleShift,
}

impl Default for UNet2DConditionConfig {
    /// Stable Diffusion 1's, apart from `cross_attention_dim` (768 there): diffusers' defaults.
    fn default() -> Self {
        use {DownBlockType::*, UpBlockType::*};
        Self {
            sample_size: None,
            in_channels: 4,
            out_channels: 4,
            flip_sin_to_cos: true,
            freq_shift: 0,
            down_block_types: vec![CrossAttnDownBlock2D, CrossAttnDownBlock2D, CrossAttnDownBlock2D, DownBlock2D],
            mid_block_type: MidBlockType::default(),
            up_block_types: vec![UpBlock2D, CrossAttnUpBlock2D, CrossAttnUpBlock2D, CrossAttnUpBlock2D],
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerBlock::Same(2),
            downsample_padding: 1,
            mid_block_scale_factor: 1.0,
            act_fn: Activation::default(),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: PerBlock::Same(1280),
            transformer_layers_per_block: PerBlock::Same(1),
            attention_head_dim: PerBlock::Same(8),
            use_linear_projection: false,
            addition_embed_type: None,
            addition_time_embed_dim: None,
            projection_class_embeddings_input_dim: None,
            upcast_attention: Some(false),
            resnet_time_scale_shift: TimeScaleShift::default(),
        }
    }
}

impl UNet2DConditionConfig {
    /// Number of blocks on the way down.
    pub fn blocks(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Width of the time embedding.
    pub fn time_embed_dim(&self) -> i64 {
        self.block_out_channels[0] * 4
    }

    /// What all ResNet blocks share.
    pub(crate) fn resnet(&self) -> ResnetConfig {
        ResnetConfig {
            groups: self.norm_num_groups,
            eps: self.norm_eps,
            act: self.act_fn,
            time: Some((self.time_embed_dim(), self.resnet_time_scale_shift)),
            output_scale_factor: 1.0,
        }
    }

    /// That the parts fit each other.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] naming the first field that does not.
    pub fn check(&self) -> Result<(), DiffusionError> {
        self.check_lengths()?;
        self.check_sizes()?;
        self.check_added()
    }

    fn check_lengths(&self) -> Result<(), DiffusionError> {
        let n = self.blocks();
        require(n > 0, "block_out_channels is empty")?;
        require(
            self.down_block_types.len() == n,
            "down_block_types must have one entry for each of block_out_channels",
        )?;
        require(self.up_block_types.len() == n, "up_block_types must have one entry for each of block_out_channels")?;
        let per_block = [
            ("layers_per_block", &self.layers_per_block),
            ("cross_attention_dim", &self.cross_attention_dim),
            ("transformer_layers_per_block", &self.transformer_layers_per_block),
            ("attention_head_dim", &self.attention_head_dim),
        ];
        for (field, values) in per_block {
            require(values.fits(n), &format!("{field} must be one number or {n}"))?;
            require((0..n).all(|i| values.get(i) > 0), &format!("{field} must be positive"))?;
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), DiffusionError> {
        require(self.in_channels > 0 && self.out_channels > 0, "in_channels and out_channels must be positive")?;
        require(self.norm_num_groups > 0, "norm_num_groups must be positive")?;
        require(self.mid_block_scale_factor > 0.0, "mid_block_scale_factor must be positive")?;
        for (i, &channels) in self.block_out_channels.iter().enumerate() {
            let (groups, heads) = (self.norm_num_groups, self.attention_head_dim.get(i));
            let divides = |d: i64| channels > 0 && channels % d == 0;
            require(
                divides(groups),
                &format!("block_out_channels[{i}] = {channels} is no multiple of norm_num_groups = {groups}"),
            )?;
            require(
                divides(heads),
                &format!("block_out_channels[{i}] = {channels} is no multiple of its {heads} attention heads"),
            )?;
        }
        Ok(())
    }

    fn check_added(&self) -> Result<(), DiffusionError> {
        let dims = [self.addition_time_embed_dim, self.projection_class_embeddings_input_dim];
        require(
            self.addition_embed_type.is_none() || dims.iter().all(Option::is_some),
            "addition_embed_type text_time needs addition_time_embed_dim and projection_class_embeddings_input_dim",
        )
    }
}

fn require(holds: bool, message: &str) -> Result<(), DiffusionError> {
    config_file::require(UNet2DConditionConfig::CLASS, holds, message)
}
