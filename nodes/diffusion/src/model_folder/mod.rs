//! Model folders of diffusers, written without the model in memory.

mod component;
mod copy;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use component::Component;
pub use copy::copy_model;
pub(crate) use copy::{read_json, write_scheduler};
pub(crate) use parts::{Parts, write_weights};
