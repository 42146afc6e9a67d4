//! `hyper-flow tag`.

use crate::commands::context::Context;
use crate::commands::pins;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;

/// Keeps a node's present artifact for good, under a name: `pin` with a name that must be given
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow tag [OPTIONS] [FILE] NODE NAME")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and the name.
    #[arg(value_names = ["FILE", "NODE", "NAME"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [node, name]) = source::split_exactly(&args.words, ["NODE", "NAME"], &args.overriding, context)?;
    let report = pins::pin((&file, node), Some(name), (&args.words, &args.overriding), context)?;
    context.print(|output, out| output.pinned(out, &report))
}
