//! Draws the graph.

use crate::commands::context::Context;
use crate::error::Failure;

/// Draws the graph.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let _ = (args, context);
    Err(Failure::usage("not implemented yet", ""))
}
