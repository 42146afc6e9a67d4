//! `hyper-flow runs show`.

use std::path::PathBuf;

use hyper_flow_cache::Store;

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::runs::finals;
use crate::error::Failure;
use crate::output::report::ShownRun;
use crate::runs::{self, Origin, Past};

/// Shows a run: what was asked for, how it ended, and what became of each node
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run: its id, the beginning or the end of it, or `last`, `last~1`.
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// A pipeline, among whose runs it is looked for.
    #[arg(long, value_name = "FILE")]
    of: Option<PathBuf>,
}

pub(super) fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = context.existing_store()?;
    let past = find(&args.run, args.of.as_ref(), &store)?;
    let finals = finals(&past, &store)?;
    let again = again::command(context, "run", &["--run", &past.id]);
    let report = ShownRun { started: past.started(), seconds: past.seconds(), finals, again, past };
    context.print(|output, out| output.run_shown(out, &report))
}

/// The run of this name.
pub(super) fn find(word: &str, of: Option<&PathBuf>, store: &Store) -> Result<Past, Failure> {
    let origin = of.map(|file| Origin::of(file, store));
    let run = runs::find(store, origin.as_ref(), word).map_err(Failure::user)?;
    let undescribed =
        || Failure::usage(format!("run `{}` does not say what was run", run.id()), "its `run.json` is damaged");
    Past::of(&run).ok_or_else(undescribed)
}
