//! `hyper-flow schema`.

use crate::commands::context::Context;
use crate::error::Failure;
use crate::pipeline;

/// Prints the JSON Schema of pipelines and their kinds, for editors and tools
///
/// A string with `x-artifacts` is the name of a node that yields one of these, one with `x-file` a path.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
pub fn execute(Args {}: &Args, context: &Context) -> Result<(), Failure> {
    context.print(|_, out| {
        serde_json::to_writer_pretty(&mut *out, &pipeline::json_schema())?;
        writeln!(out)
    })
}
