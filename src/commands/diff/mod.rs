//! `hyper-flow diff`.

mod compare;
mod numbers;
mod pictures;
mod side;

use crate::commands::context::Context;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use compare::compare;
use side::Side;

/// Compares two runs or two nodes: settings, inputs, numbers and pictures
///
/// A and B are each a RUN as `runs` lists it (`last`, `last~1`), a NODE@RUN, or a NODE of the pipeline as it is now.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow diff [OPTIONS] [FILE] A B")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; then what to compare.
    #[arg(value_names = ["FILE", "A", "B"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [a, b]) = source::split_exactly(&args.words, ["A", "B"], &args.overriding, context)?;
    let store = context.existing_store()?;
    let side = |word: &String| Side::of(word, (&file, &args.overriding), &store, context);
    let report = compare(side(a)?, side(b)?, &store)?;
    context.print(|output, out| output.compared(out, &report))
}
