//! Models, schedulers, LoRA, losses, rewards and metrics for distilling diffusion models, over libtorch.
//!
//! Knows nothing of pipelines; usable by itself. Models are written in the plain form of tensor operations, which panic;
//! [`catch`] turns that into a [`DiffusionError`] once, around a whole piece of work.

pub mod clip;
pub mod discriminator;
pub mod half;
pub mod image_processor;
pub mod layers;
pub mod lora;
pub mod losses;
pub mod metrics;
pub mod optim;
pub mod rng;
pub mod sample;
pub mod schedulers;
pub mod scores;
pub mod segmentation;
pub mod single_file;
pub mod unet;
pub mod vae;
pub mod weights;

mod classifier;
mod computing;
mod conditions;
mod config_file;
mod error;
mod model_folder;
mod model_index;
#[cfg(test)]
#[path = "../tests/parity/support.rs"]
mod parity_support;
mod sending;
mod tape;
mod text_encoders;

pub use classifier::{Classifier, ClassifierConfig};
pub use conditions::{Conditions, TimeIds};
pub use error::{DiffusionError, KeyReport, ShapeMismatch, catch};
pub use model_folder::ModelSource;
pub use model_index::ModelIndex;
pub use sending::send;
pub use tape::Tape;
pub use text_encoders::TextEncoders;
