//! `hyper-flow export`.

use std::path::PathBuf;

use hyper_flow_cache::{ExportOptions, StoreError};

use crate::commands::artifact;
use crate::commands::context::Context;
use crate::commands::source::{self, Loaded, Overriding};
use crate::error::Failure;
use crate::output::report::Exported;

/// Copies a node's artifact out of the store
///
/// The files may be edited: they are copies, never links into the store. What an earlier export of this
/// store put into DEST is brought up to date, and other files there are left alone.
///
/// Only what the node's key produces is exported; a node that has to run is an error.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow export [OPTIONS] [FILE] NODE DEST")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and the directory
    /// to copy to.
    #[arg(value_names = ["FILE", "NODE", "DEST"])]
    words: Vec<String>,
    /// Overwrite files that are not from an earlier export.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [name, dest]) = source::split_exactly(&args.words, ["NODE", "DEST"], context)?;
    let Loaded { store, plan, .. } = source::load_one(&file, name, &args.overriding, context)?;
    let planned = &plan.nodes[plan.nodes.len() - 1];
    let record = planned.record.as_ref().ok_or_else(|| artifact::missing(name, &planned.reason))?;
    let dest = PathBuf::from(dest);
    let done = store.export(&record.artifact, &dest, ExportOptions { force: args.force }).map_err(failure)?;
    let report =
        Exported { node: name.clone(), dest, written: done.written, unchanged: done.unchanged, removed: done.removed };
    context.print(|output, out| output.exported(out, &report))
}

/// A destination that holds something else is the user's to decide about, not a failure of the store.
fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Foreign { .. } => Failure::usage(error.to_string(), "`--force` overwrites files of the same names"),
        other => other.into(),
    }
}
