//! `hyper-flow ls`.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper_flow_cache::{Key, Record};

use crate::commands::artifact;
use crate::commands::context::Context;
use crate::commands::source::{self, Loaded, Overriding};
use crate::error::Failure;
use crate::output::report::{Listed, ListedNode};
use crate::plan::Planned;

/// Lists the nodes and their artifacts
///
/// Of a node that will run, the artifact of its last run is listed.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow ls [OPTIONS] [FILE] [TARGET]...")]
pub struct Args {
    /// The pipeline, then nodes to list with what they need; all without any.
    #[arg(value_names = ["FILE", "TARGET"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, targets) = source::split(&args.words, &args.overriding, context)?;
    let loaded = source::load(&file, targets, &args.overriding, context)?;
    context.require(&loaded.store)?;
    let used = loaded.store.last_used()?;
    let records = artifact::records(&loaded)?;
    let nodes = loaded.plan.nodes.iter().zip(records);
    let nodes = nodes.map(|(planned, record)| listed(&loaded, planned, record, &used)).collect();
    let report = Listed { pipeline: loaded.pipeline.name, nodes };
    context.print(|output, out| output.listed(out, &report))
}

fn listed(loaded: &Loaded, planned: &Planned, record: Option<Record>, used: &BTreeMap<Key, SystemTime>) -> ListedNode {
    let seconds = |time: &SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    ListedNode {
        name: planned.name.clone(),
        kind: planned.kind,
        state: planned.state,
        attempt: planned.attempt.clone(),
        output: loaded.pipeline.nodes[&planned.name].kind.output(),
        key: record.as_ref().map(|record| record.key),
        bytes: record.as_ref().map(|record| record.bytes),
        used: record.and_then(|record| used.get(&record.key).map(seconds)),
    }
}
