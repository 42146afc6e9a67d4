//! The state of a training on disk: all that the next step depends on, in files that are held to a digest.

mod file;
mod generations;
#[cfg(test)]
mod tests;

pub(super) use file::{Checkpoint, is_finite, restore};
pub(super) use generations::{Begin, Generations};
