//! `hyper-flow why`.

use crate::commands::context::Context;
use crate::commands::plan::state;
use crate::commands::source::{self, Loaded, Overriding};
use crate::error::Failure;
use crate::output::report::Why;
use crate::plan::{Provenance, causes};

/// Says why a node will run: the fields and inputs that changed
///
/// Compares what determines the node's artifact with what determined it at its last run. A changed input
/// is followed to the fields and files in which its change began. Of a cached node it says where its
/// artifact comes from.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow why [OPTIONS] [FILE] NODE")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; then the node.
    #[arg(value_names = ["FILE", "NODE"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [name]) = source::split_exactly(&args.words, ["NODE"], &args.overriding, context)?;
    let Loaded { pipeline, store, plan } = source::load_one(&file, name, &args.overriding, context)?;
    context.warn_if_missing(&store);
    let planned = &plan.nodes[plan.nodes.len() - 1];
    let report = Why {
        node: state(planned),
        causes: causes(&pipeline, &store, &plan, &pipeline.nodes[name])?,
        made: planned.record.as_ref().and_then(Provenance::of),
    };
    context.print(|output, out| output.why(out, &report))
}
