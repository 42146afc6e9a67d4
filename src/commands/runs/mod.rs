//! `hyper-flow runs`.

mod finals;
mod list;
mod path;
mod show;

use clap::Subcommand;

use crate::commands::context::Context;
use crate::error::Failure;

pub(crate) use finals::finals;

/// Lists the runs that are kept: when, of what, what was changed, how they ended, their final numbers
///
/// A run is named by its id, the beginning or the end of it, or by its age: `last`, `last~1`. `--run RUN` has other commands
/// look at the pipeline and its artifacts as they were in it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    list: list::Filter,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
    Path(path::Args),
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    match &args.command {
        None => list::execute(&args.list, context),
        Some(Command::Show(args)) => show::execute(args, context),
        Some(Command::Path(args)) => path::execute(args, context),
    }
}
