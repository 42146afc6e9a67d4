//! The pipeline language: a RON file becomes a checked [`Pipeline`], or all of its mistakes at once.

mod finding;
mod model;

pub use finding::{Finding, Label, PipelineErrors};
pub use model::{Node, Overrides, Pipeline, Settings, load};
