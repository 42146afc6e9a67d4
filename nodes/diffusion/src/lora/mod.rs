//! Low-rank adapters (LoRA, arXiv 2106.09685): trainable ΔW = (alpha/rank)·up·down beside a frozen base.

mod adapters;
mod checkpoint;
mod convert;
mod dropout;
mod extract;
mod file;
mod fuse;
mod kohya;
mod layer;
mod likely;
mod merge;
mod other;
mod peft;
mod peft_config;
mod read;
mod set;
mod spelling;
mod svd;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod tower;
mod uniform;

pub use adapters::Adapters;
pub use dropout::Dropout;
pub use extract::{Extract, extract};
pub use fuse::{fuse, unfuse};
pub use kohya::{read_kohya, read_kohya_flat, read_kohya_unet, write_kohya, write_kohya_with};
pub use layer::LoraLayer;
pub use merge::{Truncation, concat, truncate};
pub use peft::{write_peft, write_peft_with};
pub use read::{PublishedLora, read_lora};
pub use set::{Clipped, Lora};
pub use target::{LORA_TARGETS, LoraTarget, select_targets};
pub use tower::TextTower;
