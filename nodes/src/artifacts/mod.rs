//! What each artifact is on disk: its names, its reader and its writer.
//!
//! What is absent: trainings and kinds. An artifact does not know what is drawn from it, or for whom.

pub(crate) mod dataset;
pub(crate) mod decoder;
pub(crate) mod latents;
pub(crate) mod lora;
pub(crate) mod model;
pub(crate) mod pairs;
pub(crate) mod program;
pub(crate) mod rewritten;
pub(crate) mod rows;
pub(crate) mod samples;
pub(crate) mod scorer;
