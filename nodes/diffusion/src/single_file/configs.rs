//! The configurations of the published models, which a single file does not hold: those that diffusers takes.

use super::Family;
use crate::clip::{ClipTextConfig, HiddenAct};
use crate::model_folder::Parts;
use crate::schedulers::PredictionType;
use crate::unet::{AdditionEmbedType, DownBlockType, PerBlock, UNet2DConditionConfig, UpBlockType};
use crate::vae::{AutoencoderKlConfig, DownEncoderBlockType, UpDecoderBlockType};
use serde_json::{Value, json};

/// The parts of a published model. A Stable Diffusion 2 that predicts ε is the one for 512 pixels.
pub(super) fn parts(family: Family, prediction: PredictionType) -> Parts {
    let (side, unet) = match family {
        Family::StableDiffusion1 => (512, UNet2DConditionConfig { cross_attention_dim: PerBlock::Same(768), ..unet() }),
        Family::StableDiffusion2 if prediction == PredictionType::Epsilon => (512, unet_2(512 / 8)),
        Family::StableDiffusion2 => (768, unet_2(768 / 8)),
        Family::StableDiffusionXl => (1024, unet_xl()),
    };
    // Published for 768 pixels with either UNet.
    let vae_side = if family == Family::StableDiffusion2 { 768 } else { side };
    let scaling_factor = if family == Family::StableDiffusionXl { 0.13025 } else { 0.18215 };
    Parts {
        unet,
        vae: Some(AutoencoderKlConfig { sample_size: vae_side, scaling_factor, ..vae() }),
        text_encoder: if family == Family::StableDiffusion2 { open_clip_h() } else { clip_l() },
        text_encoder_2: (family == Family::StableDiffusionXl).then(open_clip_big_g),
    }
}

fn unet() -> UNet2DConditionConfig {
    UNet2DConditionConfig { sample_size: Some(PerBlock::Same(64)), ..Default::default() }
}

fn unet_2(sample_size: i64) -> UNet2DConditionConfig {
    UNet2DConditionConfig {
        sample_size: Some(PerBlock::Same(sample_size)),
        attention_head_dim: PerBlock::Each(vec![5, 10, 20, 20]),
        cross_attention_dim: PerBlock::Same(1024),
        use_linear_projection: true,
        upcast_attention: Some(sample_size == 96),
        ..unet()
    }
}

fn unet_xl() -> UNet2DConditionConfig {
    use {DownBlockType::*, UpBlockType::*};
    UNet2DConditionConfig {
        sample_size: Some(PerBlock::Same(128)),
        down_block_types: vec![DownBlock2D, CrossAttnDownBlock2D, CrossAttnDownBlock2D],
        up_block_types: vec![CrossAttnUpBlock2D, CrossAttnUpBlock2D, UpBlock2D],
        block_out_channels: vec![320, 640, 1280],
        cross_attention_dim: PerBlock::Same(2048),
        transformer_layers_per_block: PerBlock::Each(vec![1, 2, 10]),
        attention_head_dim: PerBlock::Each(vec![5, 10, 20]),
        use_linear_projection: true,
        addition_embed_type: Some(AdditionEmbedType::TextTime),
        addition_time_embed_dim: Some(256),
        projection_class_embeddings_input_dim: Some(2816),
        upcast_attention: None,
        ..unet()
    }
}

fn vae() -> AutoencoderKlConfig {
    AutoencoderKlConfig {
        down_block_types: vec![DownEncoderBlockType::DownEncoderBlock2D; 4],
        up_block_types: vec![UpDecoderBlockType::UpDecoderBlock2D; 4],
        block_out_channels: vec![128, 256, 512, 512],
        layers_per_block: 2,
        ..Default::default()
    }
}

/// CLIP ViT-L/14's text tower. The published files name the end of a text wrongly, which every loader knows.
fn clip_l() -> ClipTextConfig {
    ClipTextConfig {
        hidden_size: 768,
        intermediate_size: 3072,
        projection_dim: 768,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        bos_token_id: Some(0),
        eos_token_id: 2,
        ..Default::default()
    }
}

/// OpenCLIP ViT-H/14's text tower without its last layer.
fn open_clip_h() -> ClipTextConfig {
    ClipTextConfig {
        hidden_size: 1024,
        intermediate_size: 4096,
        projection_dim: 512,
        num_hidden_layers: 23,
        num_attention_heads: 16,
        hidden_act: HiddenAct::Gelu,
        ..clip_l()
    }
}

/// OpenCLIP ViT-bigG/14's text tower.
fn open_clip_big_g() -> ClipTextConfig {
    ClipTextConfig {
        hidden_size: 1280,
        intermediate_size: 5120,
        projection_dim: 1280,
        num_hidden_layers: 32,
        num_attention_heads: 20,
        hidden_act: HiddenAct::Gelu,
        ..clip_l()
    }
}

/// `scheduler_config.json` of the published model.
pub(super) fn scheduler(family: Family) -> Value {
    let mut config = json!({
        "_class_name": match family {
            Family::StableDiffusion1 => "PNDMScheduler",
            Family::StableDiffusion2 => "DDIMScheduler",
            Family::StableDiffusionXl => "EulerDiscreteScheduler",
        },
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "clip_sample": false,
        "num_train_timesteps": 1000,
        "set_alpha_to_one": false,
        "skip_prk_steps": true,
        "steps_offset": 1,
        "timestep_spacing": "leading",
        "trained_betas": null,
    });
    if family == Family::StableDiffusionXl {
        config["interpolation_type"] = json!("linear");
        config["use_karras_sigmas"] = json!(false);
    }
    config
}
