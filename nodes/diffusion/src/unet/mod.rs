//! The UNet of Stable Diffusion, in the structure and with the names of diffusers' `UNet2DConditionModel`.

mod config;
mod config_file;
mod down;
mod feed_forward;
mod mid;
mod model;
#[cfg(test)]
mod parity;
mod pretrained;
mod time;
mod transformer;
mod transformer_block;
mod up;

pub use crate::layers::TimeScaleShift;
pub use config::{AdditionEmbedType, DownBlockType, MidBlockType, PerBlock, UNet2DConditionConfig, UpBlockType};
pub use model::{AddedConditions, UNet2DConditionModel};
pub use pretrained::{load, save};

use crate::lora::Adapters;
use tch::Tensor;

/// What all blocks of one forward pass are given.
struct Context<'a> {
    /// The time embedding (b, time).
    emb: Tensor,
    /// The text (b, length, dim).
    text: Tensor,
    adapters: &'a Adapters<'a>,
}
