//! One file for each command: its help, its arguments, and one function that carries it out.

mod again;
mod artifact;
pub mod cache;
pub mod check;
pub mod completions;
pub mod context;
pub mod export;
pub mod graph;
pub mod kinds;
pub mod log;
pub mod ls;
mod one_rank;
pub mod pin;
mod pins;
pub mod plan;
mod retention;
pub(crate) mod revisions;
pub mod rm;
pub mod run;
pub mod schema;
pub mod show;
pub mod source;
pub mod store;
pub mod tag;
pub mod unpin;
pub mod why;
