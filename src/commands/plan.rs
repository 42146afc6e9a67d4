//! `hyper-flow plan`.

use crate::commands::context::Context;
use crate::commands::source::{self, Loaded, Overriding};
use crate::error::Failure;
use crate::output::report::{NodeState, Planned};
use crate::plan;

/// Says which nodes are cached, which will run, and why
///
/// `cached`: the store has what the node's key produces. `run`: it will run. `maybe`: one of its inputs
/// will run first; if that comes out with the same bytes as before, the node is cached after all.
///
/// Of a node that failed, was interrupted or runs in another run, that is the reason that is told.
///
/// Nothing is started, but `hyper-flow-worker describe` for a pipeline with `reproducibility: Exact`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow plan [OPTIONS] [FILE] [TARGET]...")]
pub struct Args {
    /// The pipeline, then nodes to plan for; all without any.
    #[arg(value_names = ["FILE", "TARGET"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, targets) = source::split(&args.words, &args.overriding, context)?;
    let Loaded { pipeline, store, plan } = source::load(&file, targets, &args.overriding, context)?;
    context.warn_if_missing(&store);
    context.warn(&pipeline.warnings);
    let nodes = plan.nodes.iter().map(state).collect();
    let report = Planned { pipeline: pipeline.name, nodes };
    context.print(|output, out| output.planned(out, &report))
}

/// What all reports say of a node.
pub(super) fn state(planned: &plan::Planned) -> NodeState {
    NodeState {
        name: planned.name.clone(),
        kind: planned.kind,
        state: planned.state,
        reason: planned.reason.clone(),
        key: planned.key,
        attempt: planned.attempt.clone(),
    }
}
