//! Where every key of a file belongs.

use super::{Family, text_keys, unet_keys, vae_keys};
use crate::model_folder::{Component, Marks};
use crate::weights::{Part, is_position_ids};

/// What names depend on besides the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The model.
    pub(super) family: Family,
    /// ResNet blocks in each of the UNet's blocks.
    pub(super) layers_per_block: usize,
    /// Blocks of the VAE's encoder.
    pub(super) vae_blocks: usize,
    /// Layers of the first text encoder.
    pub(super) text_layers: usize,
}

/// Where a key belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Into a component, under these names.
    In(Component, Vec<(String, Part)>),
    /// Nowhere, and that is known: it is no weight of these models.
    Nowhere,
}

/// Keys that are no weights of the models: numbers of the noise schedule and of training.
const HARMLESS: [&str; 17] = [
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "betas",
    "denoiser.sigmas",
    "global_step",
    "log_one_minus_alphas_cumprod",
    "logvar",
    "lvlb_weights",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "posterior_variance",
    "scale_factor",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
];

/// Whether a key is of the average of the weights that were trained.
pub(super) fn is_average(key: &str) -> bool {
    key.starts_with("model_ema.")
}

/// Where a key of the file belongs; `None` if that is not known.
pub(super) fn place(key: &str, layout: &Layout) -> Option<Place> {
    // As diffusers has it, the weights that were trained are taken and not their average.
    let harmless = HARMLESS.contains(&key) || Marks::is_mark(key) || is_position_ids(key);
    if harmless || is_average(key) || key.ends_with(".logit_scale") {
        return Some(Place::Nowhere);
    }
    let whole = |component, name: String| Place::In(component, vec![(name, Part::Whole)]);
    if let Some(key) = key.strip_prefix("model.diffusion_model.") {
        return unet_keys::name(key, layout.layers_per_block).map(|name| whole(Component::Unet, name));
    }
    if let Some(key) = key.strip_prefix("first_stage_model.") {
        return vae_keys::name(key, layout.vae_blocks).map(|name| whole(Component::Vae, name));
    }
    let (clip, open_clip) = match layout.family {
        Family::StableDiffusionXl => ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
        _ => ("cond_stage_model.transformer.", "cond_stage_model.model."),
    };
    if let Some(key) = key.strip_prefix(clip) {
        // Other programs save the whole of CLIP; this encoder's text is not projected.
        let projection = key == "text_projection.weight";
        return Some(if projection { Place::Nowhere } else { whole(Component::TextEncoder, text_keys::clip(key)) });
    }
    let key = key.strip_prefix(open_clip)?;
    if layout.family == Family::StableDiffusionXl {
        return text_keys::open_clip(key).map(|names| Place::In(Component::TextEncoder2, names));
    }
    // Stable Diffusion 2 reads the last but one layer's state, so that the last layer and the projection are not there.
    let unused = text_keys::layer(key).is_some_and(|(layer, _)| layer == layout.text_layers);
    if unused || key == "text_projection" {
        return Some(Place::Nowhere);
    }
    text_keys::open_clip(key).map(|names| Place::In(Component::TextEncoder, names))
}
