//! Model folders of diffusers, written without the model in memory.

mod component;
mod folder;
mod marks;
mod parts;
mod source;
mod summary;
#[cfg(test)]
mod tests;

pub(crate) use component::Component;
pub(crate) use marks::Marks;
pub(crate) use parts::Parts;
pub use source::ModelSource;
pub(crate) use source::{PartWeights, read_scheduler};
pub(crate) use summary::predicts;
