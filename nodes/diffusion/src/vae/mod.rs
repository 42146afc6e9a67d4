//! The autoencoder of Stable Diffusion, in the structure and with the names of diffusers' `AutoencoderKL`.

mod blocks;
mod config;
mod decoder;
mod encoder;
mod model;
#[cfg(test)]
mod parity;
mod posterior;
mod pretrained;
#[cfg(test)]
mod tests;
mod tiles;

pub use config::{AutoencoderKlConfig, DownEncoderBlockType, UpDecoderBlockType};
pub use model::AutoencoderKl;
pub use posterior::Posterior;
