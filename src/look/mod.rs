//! What artifacts say of themselves, read from their files: nothing here computes with tensors, and no file is mapped.

mod dataset;
mod half;
mod header;
mod histogram;
mod lora;
mod norm;

pub use dataset::{Captions, Dataset, Half, LeftOut};
pub(crate) use dataset::{dataset, pixels};
pub use histogram::Count;
pub(crate) use lora::lora;
pub use lora::{Block, Lora};
