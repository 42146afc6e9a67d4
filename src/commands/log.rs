//! Prints the log of a node's last run.

use crate::commands::context::Context;
use crate::error::Failure;

/// Prints the log of a node's last run.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let _ = (args, context);
    Err(Failure::usage("not implemented yet", ""))
}
