//! `hyper-flow runs path`.

use crate::commands::context::Context;
use crate::commands::runs::show::find;
use crate::error::Failure;
use crate::output::report::RunPath;

/// Prints the directory of the runs, or of one of them
///
/// What TensorBoard reads is in it: `tensorboard --logdir "$(hyper-flow runs path)"`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A run: its id, the beginning or the end of it, or `last`, `last~1`.
    #[arg(value_name = "RUN")]
    run: Option<String>,
}

pub(super) fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = context.existing_store()?;
    let path = match &args.run {
        Some(word) => find(word, None, &store)?.directory,
        None => store.runs(),
    };
    let path = path.canonicalize().unwrap_or(path);
    context.print(|output, out| output.run_path(out, &RunPath { path }))
}
