//! Checkpoints in one file with the key names of the latent-diffusion code, as most community models come, made into
//! diffusers folders as diffusers' own converter does.

mod configs;
mod family;
mod keys;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod text_keys;
mod unet_keys;
mod vae_keys;

pub use family::Family;
pub use source::SingleFileOptions;
