//! The parts of a model folder that have weights.

use super::Marks;
use crate::clip::{self, ClipTextModel, ClipTextModelWithProjection};
use crate::weights::vae_name;

/// A model in a model folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Component {
    Unet,
    Vae,
    /// The only text encoder, or SDXL's first.
    TextEncoder,
    /// SDXL's second text encoder.
    TextEncoder2,
}

impl Component {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Unet => "unet",
            Self::Vae => "vae",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
        }
    }

    /// The name of its weights, without the ending.
    pub(crate) fn stem(self) -> &'static str {
        match self {
            Self::Unet | Self::Vae => "diffusion_pytorch_model",
            Self::TextEncoder | Self::TextEncoder2 => "model",
        }
    }

    /// What a key of a diffusers file is called; `None` for a key that is of no use.
    pub(crate) fn name(self, key: &str) -> Option<String> {
        match self {
            Self::Unet => (!Marks::is_mark(key)).then(|| key.to_owned()),
            Self::Vae => Some(vae_name(key)),
            Self::TextEncoder => clip::name_of::<ClipTextModel>(key),
            Self::TextEncoder2 => clip::name_of::<ClipTextModelWithProjection>(key),
        }
    }
}
