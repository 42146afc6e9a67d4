//! What each node kind of hyper-flow does, and the worker that runs one.
//!
//! What is absent: pipelines, keys and the store. A job names directories; this crate fills one of them.
//!
//! Wings, each of which uses only those below it:
//!
//! | wing | what belongs there |
//! |---|---|
//! | `kinds` | what each kind does, a file or a folder a kind |
//! | `distilling` | what several distillations share: the student, its judges, how it draws |
//! | `training` | the one loop, its checkpoints, and what a training draws from |
//! | `artifacts` | what each artifact is on disk, its reader and its writer |
//! | `picture` | pictures in files |
//! | `worker`, `files`, `error` | the ground: one job in one process, small files, why a node fails |

mod artifacts;
mod distilling;
mod error;
mod files;
#[cfg(test)]
mod fuzz;
mod kinds;
mod picture;
mod training;
mod worker;

use std::path::Path;

pub use error::NodeError;
pub use worker::{Outcome, describe};

/// Reads a job and runs it. What happens is reported on standard output.
pub fn run(job: &Path) -> Outcome {
    worker::run(job, kinds::run)
}
