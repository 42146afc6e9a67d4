//! The artifact that a command about a node means.

use hyper_flow_cache::{Record, Store, StoreError};

use crate::commands::again::{self, Again};
use crate::commands::context::Context;
use crate::commands::source::Loaded;
use crate::error::Failure;
use crate::pipeline::suggest::instead;
use crate::plan::Planned;
use crate::runs::{Attempted, LastKeys, Past, PastNode, Status};

/// The record of each planned node: of its key, or else of its last run.
pub(crate) fn records(loaded: &Loaded) -> Result<Vec<Option<Record>>, StoreError> {
    let last = LastKeys::of(&loaded.pipeline, &loaded.store);
    let record = |planned: &Planned| match &planned.record {
        Some(record) => Ok(Some(record.clone())),
        None => match last.get(&planned.name)? {
            Some(key) => loaded.store.lookup(&key),
            None => Ok(None),
        },
    };
    loaded.plan.nodes.iter().map(record).collect()
}

/// What a node had in a run, as it was noted there.
pub(crate) fn of_run(past: &Past, node: &str, store: &Store, context: &Context) -> Result<Record, Failure> {
    let names: Vec<&str> = past.course.nodes.iter().map(|node| node.name.as_str()).collect();
    let unknown = || {
        Failure::usage(format!("run `{}` has no node `{node}`", past.id), instead(node, &names, "nodes that it had"))
    };
    let found = past.node(node).ok_or_else(unknown)?;
    let record = found.key.map(|key| store.lookup(&key)).transpose()?.flatten();
    record.ok_or_else(|| {
        let message = format!("node `{node}` has no artifact of run `{}` in the store: {}", past.id, came_to(found));
        Failure::usage(message, format!("`{}` lists the other runs", again::command(context, "runs", &[])))
    })
}

fn came_to(node: &PastNode) -> String {
    match &node.status {
        Status::Waiting { .. } => "its turn did not come".to_owned(),
        Status::Running => "it still runs".to_owned(),
        Status::Cached | Status::Ran => "it was removed since".to_owned(),
        Status::Failed { message } => format!("it failed: {message}"),
        Status::Interrupted | Status::Died => "it was interrupted".to_owned(),
        Status::Skipped { because } => format!("it was not started: {because}"),
    }
}

/// The node's artifact of its last run is not what its key would produce, or there is none.
pub(crate) fn missing(planned: &Planned, again: &Again) -> Failure {
    let Planned { name, reason, attempt, .. } = planned;
    let message = format!("node `{name}` has no artifact in the store: {reason}");
    let is_made = attempt.as_ref().is_some_and(|attempt| attempt.state == Attempted::Running);
    let help = match is_made {
        true => format!("it is being made: `{}` tells how far it is", again.line("log", &[name, "--follow"])),
        false => format!("make it first: `{}`", again.line("run", &[name])),
    };
    Failure::usage(message, help)
}
