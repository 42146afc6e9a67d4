//! One job in one process: where it computes, what it says, when it stops.

mod cancel;
mod context;
mod describe;
mod device;
mod memory;
mod reporter;
mod run;

pub(crate) use cancel::Cancel;
pub(crate) use context::Context;
pub use describe::describe;
pub(crate) use reporter::Reporter;
pub use run::{Outcome, run};
