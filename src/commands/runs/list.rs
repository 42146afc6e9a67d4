//! `hyper-flow runs`, without more.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Store, StoreError};

use super::finals;
use crate::commands::context::Context;
use crate::error::Failure;
use crate::output::report::{ListedRun, ListedRuns};
use crate::runs::{self, Origin, Past, PastNode, Run, Status};

/// The beginning of an id that tells when it was: `20261130-172837`.
const TO_THE_SECOND: usize = 15;

#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// A pipeline, to have its runs alone.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The newest so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Every run.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

pub(super) fn execute(args: &Filter, context: &Context) -> Result<(), Failure> {
    let store = context.look_into_store()?;
    context.require(&store)?;
    let mut found = runs::newest_first(&store);
    let names = names(&found);
    if let Some(file) = &args.file {
        let origin = Origin::of(file, &store);
        found.retain(|run| run.origin().is_some_and(|of| of.is(&origin)));
    }
    let limit = if args.all { found.len() } else { args.limit };
    let pasts = found.iter().take(limit).filter_map(Past::of);
    let runs = pasts.map(|past| listed(past, &names, &store)).collect::<Result<_, StoreError>>()?;
    let older = found.len().saturating_sub(limit);
    let report = ListedRuns { runs, older };
    context.print(|output, out| output.runs(out, &report))
}

/// What each run is called for short: to the second, unless there were others in it.
fn names(runs: &[Run]) -> BTreeMap<String, String> {
    let ids: Vec<String> = runs.iter().map(Run::id).collect();
    let start = |id: &String| id.get(..TO_THE_SECOND).unwrap_or(id).to_owned();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    ids.iter().for_each(|id| *counts.entry(start(id)).or_default() += 1);
    ids.into_iter()
        .map(|id| if counts[&start(&id)] == 1 { (id.clone(), start(&id)) } else { (id.clone(), id) })
        .collect()
}

fn listed(past: Past, names: &BTreeMap<String, String>, store: &Store) -> Result<ListedRun, StoreError> {
    Ok(ListedRun {
        short: names.get(&past.id).cloned().unwrap_or_else(|| past.id.clone()),
        started: past.started(),
        seconds: past.seconds(),
        what: what(&past.course.nodes),
        finals: finals(&past, store)?,
        pipeline: past.asked.name.clone(),
        file: past.asked.origin.path().to_owned(),
        targets: past.asked.targets.clone(),
        set: past.asked.set.clone(),
        params: past.asked.params.clone(),
        ending: past.course.ending,
        run: past.id,
    })
}

/// The node that tells most of how it ended, or of how far it is, and what of it.
fn what(nodes: &[PastNode]) -> Option<String> {
    let failed = nodes.iter().find_map(|node| match &node.status {
        Status::Failed { message } => Some(format!("{}: {}", node.name, message.lines().next().unwrap_or_default())),
        _ => None,
    });
    let at = nodes.iter().find_map(|node| match node.status {
        Status::Interrupted | Status::Died | Status::Running => Some(format!("{}{}", node.name, so_far(node))),
        _ => None,
    });
    failed.or(at)
}

fn so_far(node: &PastNode) -> String {
    let progress = node.progress.as_ref();
    progress.map_or_else(String::new, |at| format!(" at {} of {} {}", at.done, at.of, at.unit))
}
