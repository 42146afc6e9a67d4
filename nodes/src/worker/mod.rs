//! One job in one process: where it computes, what it downloads and says, when it stops.
//!
//! The ground, with `files` and `error`: it knows no kind, and is handed what runs them.

mod cancel;
mod context;
mod describe;
mod device;
mod download;
mod driver;
pub(crate) mod memory;
mod out_of_memory;
mod reporter;
mod run;

pub(crate) use cancel::Cancel;
pub(crate) use context::Context;
pub use describe::describe;
pub(crate) use download::{download, file_or_hub};
pub(crate) use reporter::Reporter;
pub use run::Outcome;
pub(crate) use run::run;
