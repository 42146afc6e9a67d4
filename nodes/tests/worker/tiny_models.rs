//! Tiny model folders with random weights, in the structure of published ones: made in a moment, and no good at drawing.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::ModelIndex;
use hyper_flow_diffusion::clip::{
    self, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTokenizer, HiddenAct, Pretrained,
};
use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::schedulers::{PredictionType, SchedulerConfig};
use hyper_flow_diffusion::unet::{
    self, AdditionEmbedType, DownBlockType, PerBlock, UNet2DConditionConfig, UNet2DConditionModel, UpBlockType,
};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig, DownEncoderBlockType, UpDecoderBlockType};
use serde_json::{Value, json};
use tch::{Device, nn};
use tempfile::TempDir;

/// Whose structure a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Predicts ε; transformers project by convolutions.
    Sd15,
    /// Predicts v; transformers project by linear layers; texts are padded with "!".
    Sd21,
    /// Two text encoders, time ids, zeros for no prompt; transformers of several blocks.
    Sdxl,
}

/// A model to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiny {
    family: Family,
    /// Channels of its pictures.
    channels: i64,
    /// Blocks of its VAE, each but the first of which halves a picture's side.
    vae_blocks: usize,
    /// Side of its latents.
    side: i64,
}

/// Words that the tokenizers know.
pub(crate) const CAPTIONS: [&str; 4] =
    ["a photo of a red fox", "a handwritten digit seven", "a house by the sea", "the red sea"];
const LENGTH: usize = 16;
/// Width of the text encoders' states, and of the second's projection.
const WIDTHS: [i64; 2] = [16, 24];
const POOLED: i64 = 12;

impl Tiny {
    /// Draws pictures of 3 channels and 64 pixels, from latents of 8.
    pub(crate) fn new(family: Family) -> Self {
        Self { family, channels: 3, vae_blocks: 4, side: 8 }
    }

    /// Draws pictures like the digits', of 1 channel and 8 pixels, from latents of 4 channels and as many pixels.
    pub(crate) fn of_digits(family: Family) -> Self {
        Self { family, channels: 1, vae_blocks: 1, side: 8 }
    }

    /// Side of its pictures.
    pub(crate) fn picture_side(&self) -> i64 {
        self.side << (self.vae_blocks - 1)
    }

    /// Writes the model folder.
    pub(crate) fn write(&self, folder: &Path) {
        let sdxl = self.family == Family::Sdxl;
        self.write_unet(&folder.join("unet"));
        AutoencoderKl::fresh(&self.vae(), 2, Device::Cpu).unwrap().save(&folder.join("vae")).unwrap();
        let scheduler = self.scheduler();
        scheduler.write(&folder.join("scheduler")).unwrap();
        let tokenizer = ClipTokenizer::train(&[CAPTIONS, CAPTIONS].concat(), 60, LENGTH).unwrap();
        let encoder = |index: usize, act| text_config(&tokenizer, WIDTHS[index], act);
        let at = |name: &str| folder.join(name);
        match self.family {
            Family::Sd15 => {
                write_encoder::<ClipTextModel>(&at("text_encoder"), &encoder(0, HiddenAct::QuickGelu), 3);
                write_tokenizer(&at("tokenizer"), &tokenizer, "<|endoftext|>");
            }
            Family::Sd21 => {
                write_encoder::<ClipTextModel>(&at("text_encoder"), &encoder(0, HiddenAct::Gelu), 3);
                write_tokenizer(&at("tokenizer"), &tokenizer, "!");
            }
            Family::Sdxl => {
                write_encoder::<ClipTextModel>(&at("text_encoder"), &encoder(0, HiddenAct::QuickGelu), 3);
                let second = encoder(1, HiddenAct::Gelu);
                write_encoder::<ClipTextModelWithProjection>(&at("text_encoder_2"), &second, 4);
                write_tokenizer(&at("tokenizer"), &tokenizer, "<|endoftext|>");
                write_tokenizer(&at("tokenizer_2"), &tokenizer, "!");
            }
        }
        let index = ModelIndex { text_encoder_2: sdxl, vae: true, force_zeros_for_empty_prompt: true };
        index.write(folder, &scheduler.class_name).unwrap();
    }

    /// The model folder in a place of its own.
    pub(crate) fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        folder
    }

    /// The UNet's configuration.
    pub(crate) fn unet(&self) -> UNet2DConditionConfig {
        use {DownBlockType::*, UpBlockType::*};
        let base = UNet2DConditionConfig {
            sample_size: Some(PerBlock::Same(self.side)),
            down_block_types: vec![CrossAttnDownBlock2D, DownBlock2D],
            up_block_types: vec![UpBlock2D, CrossAttnUpBlock2D],
            block_out_channels: vec![16, 32],
            layers_per_block: PerBlock::Same(1),
            norm_num_groups: 8,
            cross_attention_dim: PerBlock::Same(WIDTHS[0]),
            attention_head_dim: PerBlock::Same(2),
            ..Default::default()
        };
        match self.family {
            Family::Sd15 => base,
            Family::Sd21 => UNet2DConditionConfig { use_linear_projection: true, ..base },
            Family::Sdxl => UNet2DConditionConfig {
                down_block_types: vec![DownBlock2D, CrossAttnDownBlock2D],
                up_block_types: vec![CrossAttnUpBlock2D, UpBlock2D],
                cross_attention_dim: PerBlock::Same(WIDTHS[0] + WIDTHS[1]),
                transformer_layers_per_block: PerBlock::Each(vec![1, 2]),
                attention_head_dim: PerBlock::Each(vec![1, 2]),
                use_linear_projection: true,
                addition_embed_type: Some(AdditionEmbedType::TextTime),
                addition_time_embed_dim: Some(4),
                projection_class_embeddings_input_dim: Some(POOLED + 6 * 4),
                ..base
            },
        }
    }

    fn write_unet(&self, folder: &Path) {
        let vs = nn::VarStore::new(Device::Cpu);
        UNet2DConditionModel::new(&vs, &self.unet()).unwrap();
        init_weights(&vs, 1);
        unet::save(folder, &vs, &self.unet()).unwrap();
    }

    fn vae(&self) -> AutoencoderKlConfig {
        AutoencoderKlConfig {
            in_channels: self.channels,
            out_channels: self.channels,
            down_block_types: vec![DownEncoderBlockType::DownEncoderBlock2D; self.vae_blocks],
            up_block_types: vec![UpDecoderBlockType::UpDecoderBlock2D; self.vae_blocks],
            block_out_channels: vec![8; self.vae_blocks],
            norm_num_groups: 4,
            sample_size: self.picture_side(),
            scaling_factor: if self.family == Family::Sdxl { 0.13025 } else { 0.18215 },
            ..Default::default()
        }
    }

    fn scheduler(&self) -> SchedulerConfig {
        SchedulerConfig::stable_diffusion(match self.family {
            Family::Sd21 => PredictionType::VPrediction,
            Family::Sd15 | Family::Sdxl => PredictionType::Epsilon,
        })
    }
}

fn text_config(tokenizer: &ClipTokenizer, hidden_size: i64, hidden_act: HiddenAct) -> ClipTextConfig {
    ClipTextConfig {
        vocab_size: tokenizer.vocab_size(),
        hidden_size,
        intermediate_size: 2 * hidden_size,
        projection_dim: POOLED,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        max_position_embeddings: LENGTH as i64,
        hidden_act,
        bos_token_id: Some(tokenizer.bos_token_id()),
        eos_token_id: tokenizer.eos_token_id(),
        pad_token_id: Some(tokenizer.pad_token_id()),
        ..Default::default()
    }
}

fn write_encoder<M: Pretrained<Config = ClipTextConfig>>(folder: &Path, config: &ClipTextConfig, seed: u64) {
    let (vs, _) = clip::new::<M>(config, seed, Device::Cpu).unwrap();
    clip::save::<M>(folder, &vs, config).unwrap();
}

fn write_tokenizer(folder: &Path, tokenizer: &ClipTokenizer, pad: &str) {
    tokenizer.write(folder).unwrap();
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        edit(&folder.join(name), |json| json["pad_token"] = json!(pad));
    }
}

/// Changes a JSON file.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}
