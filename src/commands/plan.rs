//! Says what is cached, what will run, and why.

use crate::commands::context::Context;
use crate::error::Failure;

/// Says what is cached, what will run, and why.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let _ = (args, context);
    Err(Failure::usage("not implemented yet", ""))
}
