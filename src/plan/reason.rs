//! Why a node has its state, in one line.

use hyper_flow_cache::{Key, Record, StoreError};

use super::history::{History, Last};
use super::planner::relative;
use super::{Difference, Part, Plan, Provenance, State};
use crate::pipeline::{Node, Pipeline};

/// More than so many reasons are counted, not told.
const TOLD: usize = 3;

/// Why a node is cached: who made its artifact, if it was not the node itself.
pub(super) fn cached(pipeline: &Pipeline, node: &Node, record: &Record) -> String {
    match Provenance::of(record) {
        Some(made) if made.pipeline != pipeline.name => {
            format!("in the store, made by {} of pipeline {}", made.node, made.pipeline)
        }
        Some(made) if made.node != node.name => format!("in the store, made by {}", made.node),
        _ => "in the store".to_owned(),
    }
}

/// Why a node with this key will run.
pub(super) fn running(history: &History<'_>, plan: &Plan, node: &Node, key: &Key) -> Result<String, StoreError> {
    if history.store.record(key)?.is_some() {
        return Ok("object missing or altered".to_owned());
    }
    match history.last(&node.name)? {
        None => Ok("never ran".to_owned()),
        Some(last) if last.key == *key => Ok("its record was removed".to_owned()),
        Some(last) => {
            let found = history.differences(plan, node, &last)?;
            let told: Vec<String> =
                found.iter().map(|difference| tell(history, node, &last, difference)).collect::<Result<_, _>>()?;
            Ok(join(told))
        }
    }
}

/// Why a node with inputs that are not known yet may run: what changed in itself, and the inputs.
pub(super) fn waiting(history: &History<'_>, plan: &Plan, node: &Node) -> Result<String, StoreError> {
    let mut reasons = Vec::new();
    if let Some(last) = history.last(&node.name)? {
        for difference in history.differences(plan, node, &last)? {
            reasons.push(tell(history, node, &last, &difference)?);
        }
    }
    let mut inputs: Vec<&str> = node.inputs.values().map(String::as_str).collect();
    inputs.sort_unstable();
    inputs.dedup();
    reasons.extend(inputs.into_iter().filter_map(|name| match plan.get(name)?.state {
        State::Run => Some(format!("input {name} will run")),
        State::Maybe => Some(format!("input {name} may change")),
        State::Cached => None,
    }));
    Ok(join(reasons))
}

/// A difference from the last record, with names for digests.
pub(super) fn tell(
    history: &History<'_>,
    node: &Node,
    last: &Last,
    difference: &Difference,
) -> Result<String, StoreError> {
    let place = difference.place();
    let before = difference.old.is_some();
    Ok(match difference.part {
        Part::Inputs => match (node.inputs.get(&difference.path), history.rewired(node, &difference.path, last)?) {
            (Some(now), Some(before)) => format!("{place}: {before} → {now}"),
            (Some(now), None) if before => format!("{place}: {now} changed"),
            (Some(now), None) => format!("{place}: none → {now}"),
            (None, _) => format!("{place}: removed"),
        },
        Part::Files => match node.files.get(&difference.path) {
            Some(path) if before && path.is_dir() => format!("folder {} changed", relative(history.pipeline, path)),
            Some(path) if before => format!("file {} changed", relative(history.pipeline, path)),
            Some(path) => format!("{place}: none → {}", relative(history.pipeline, path)),
            None => format!("{place}: removed"),
        },
        _ => difference.to_string(),
    })
}

fn join(mut reasons: Vec<String>) -> String {
    if reasons.len() > TOLD + 1 {
        let more = reasons.len() - TOLD;
        reasons.truncate(TOLD);
        reasons.push(format!("and {more} more"));
    }
    if reasons.is_empty() { "nothing is known of its last run".to_owned() } else { reasons.join("; ") }
}
