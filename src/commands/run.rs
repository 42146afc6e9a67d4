//! Runs the nodes whose results are not in the store.

use crate::commands::context::Context;
use crate::error::Failure;

/// Runs the nodes whose results are not in the store.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let _ = (args, context);
    Err(Failure::usage("not implemented yet", ""))
}
