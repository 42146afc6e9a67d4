//! What each node kind of hyper-flow does, one file a kind in `kinds`, and the worker that runs one.
//!
//! What is absent: pipelines, keys and the store. A job names directories; this crate fills one of them.

mod adversary;
mod conditioned;
mod dataset;
mod decoder;
mod distillation;
mod download;
mod error;
mod feedback;
mod files;
#[cfg(test)]
mod fuzz;
mod guard;
mod kinds;
mod latents;
mod model;
mod paint;
mod pairs;
mod perception;
mod picture;
mod program;
mod rows;
mod scorer;
mod student;
mod training;
mod worker;

pub use error::NodeError;
pub use worker::{Outcome, describe, run};
