//! Which model a file holds, told by its keys and shapes as diffusers tells it.

use crate::DiffusionError;
use crate::weights::Weights;
use std::fmt;

/// The models that are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Stable Diffusion 1: one CLIP text encoder.
    StableDiffusion1,
    /// Stable Diffusion 2: one OpenCLIP text encoder.
    StableDiffusion2,
    /// SDXL base: both.
    StableDiffusionXl,
}

const CONV_IN: &str = "model.diffusion_model.input_blocks.0.0.weight";

/// Parts of keys that only models have which are not converted, and what these are.
const OTHERS: [(&str, &str); 17] = [
    ("lora_unet_", "a LoRA, not a whole model"),
    ("lora_te", "a LoRA, not a whole model"),
    (".lora_A.", "a LoRA, not a whole model"),
    ("control_model.", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("motion_modules.", "an AnimateDiff motion module"),
    ("joint_blocks.", "Stable Diffusion 3"),
    ("double_blocks.", "Flux, or a model like it"),
    ("clip_txt_mapper.", "Stable Cascade"),
    ("time_stack.", "Stable Video Diffusion"),
    ("noise_augmentor.", "Stable unCLIP"),
    ("depth_model.", "a depth-to-image model"),
    ("low_scale_model.", "an upscaler"),
    ("edm_mean", "Playground 2.5"),
    ("edm_vpred.", "a model of EDM v-prediction"),
    ("cond_proj.", "a model that is told its guidance, such as LCM (time_cond_proj_dim)"),
    ("conditioner.embedders.0.model.", "the SDXL refiner"),
];

impl Family {
    /// Which one a file holds.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] saying what it is instead, or what it lacks.
    pub fn of(weights: &Weights) -> Result<Self, DiffusionError> {
        let wrong = |message| DiffusionError::Config { what: weights.path().display().to_string(), message };
        if let Some((_, what)) = OTHERS.iter().find(|(part, _)| weights.keys().any(|key| key.contains(part))) {
            return Err(wrong(format!("it is {what}, {NOT_CONVERTED}")));
        }
        let has = |prefix: &str| weights.keys().any(|key| key.starts_with(prefix));
        let Some(conv_in) = weights.shape(CONV_IN) else { return Err(wrong(no_unet(has("down_blocks.")))) };
        match conv_in.get(1) {
            Some(4) => {}
            Some(9) => return Err(wrong(format!("it is an inpainting model (9 input channels), {NOT_CONVERTED}"))),
            channels => {
                let channels = channels.copied().unwrap_or_default();
                return Err(wrong(format!("its UNet takes {channels} channels where latents have 4, {NOT_CONVERTED}")));
            }
        }
        if !has("first_stage_model.") {
            return Err(wrong("it has no VAE (first_stage_model.…): use one that has it baked in".into()));
        }
        if has("conditioner.embedders.1.model.") {
            Ok(Self::StableDiffusionXl)
        } else if has("cond_stage_model.model.") {
            Ok(Self::StableDiffusion2)
        } else if has("cond_stage_model.transformer.") {
            Ok(Self::StableDiffusion1)
        } else {
            Err(wrong("it has no text encoder (cond_stage_model.… or conditioner.embedders.…)".into()))
        }
    }
}

const NOT_CONVERTED: &str = "which is not converted; Stable Diffusion 1 and 2 and SDXL base are";

fn no_unet(diffusers: bool) -> String {
    if diffusers {
        "its keys are those of diffusers: it belongs into a model folder, as unet/diffusion_pytorch_model.safetensors"
            .into()
    } else {
        format!("it has no UNet ({CONV_IN}): not a checkpoint in one file")
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StableDiffusion1 => "Stable Diffusion 1",
            Self::StableDiffusion2 => "Stable Diffusion 2",
            Self::StableDiffusionXl => "SDXL base",
        })
    }
}
