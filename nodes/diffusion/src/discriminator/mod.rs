//! Discriminators: networks that tell noised samples of two sources apart.

mod head;
mod model;

pub use model::Discriminator;
