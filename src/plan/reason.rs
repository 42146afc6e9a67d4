//! Why a node has its state, in one line.

use hyper_flow_cache::{Key, Record, Store, StoreError};
use serde::Deserialize;

use super::going_on;
use super::history::{History, Last};
use super::planner::relative;
use super::{Difference, Part, Plan, State};
use crate::output::units::ago;
use crate::pipeline::{Node, Pipeline};
use crate::runs::{Attempt, Attempted, LastKeys};

/// More than so many reasons are counted, not told.
const TOLD: usize = 3;
/// Of a message no more is told.
const LONGEST: usize = 100;
/// Of a node that was in no run that is kept.
const NEVER: &str = "never ran";

/// Who made an artifact: all that is to be known of most.
#[derive(Deserialize)]
struct Maker {
    pipeline: String,
    node: String,
}

/// Why a node is cached: who made its artifact, if it was not the node itself.
pub(super) fn cached(pipeline: &Pipeline, node: &Node, record: &Record) -> String {
    match record.meta.read::<Maker>() {
        Ok(by) if by.pipeline != pipeline.name => {
            format!("in the store, made by {} of pipeline {}", by.node, by.pipeline)
        }
        Ok(by) if by.node != node.name => format!("in the store, made by {}", by.node),
        _ => "in the store".to_owned(),
    }
}

/// Why a node with this key will run.
pub(super) fn running(
    history: &History<'_>,
    plan: &Plan,
    node: &Node,
    key: &Key,
    attempt: Option<&Attempt>,
) -> Result<String, StoreError> {
    if history.store.record(key)?.is_some() {
        return Ok("object missing or altered".to_owned());
    }
    let last = history.last(&node.name)?;
    let mut reasons: Vec<String> = attempt.map(attempted).into_iter().collect();
    match last {
        None if reasons.is_empty() => reasons.push(NEVER.to_owned()),
        Some(last) if last.key == *key && reasons.is_empty() => reasons.push("its record was removed".to_owned()),
        Some(last) if last.key != *key => reasons.extend(differences(history, plan, node, &last)?),
        _ => {}
    }
    Ok(join(reasons))
}

/// Why a node starts with this preimage, whose inputs were not known when it was planned.
pub(crate) fn starting(
    pipeline: &Pipeline,
    store: &Store,
    keys: &LastKeys,
    node: &Node,
    preimage: &[u8],
) -> Result<String, StoreError> {
    let history = History::new(pipeline, store, keys);
    let Some(last) = history.last(&node.name)? else { return Ok(NEVER.to_owned()) };
    let found = last.differences(preimage);
    let told: Vec<String> =
        found.iter().map(|difference| tell(&history, node, &last, difference)).collect::<Result<_, _>>()?;
    Ok(join(told))
}

/// Why a node with inputs that are not known yet will or may run: what became of it, what changed in itself, and the inputs.
pub(super) fn waiting(
    history: &History<'_>,
    plan: &Plan,
    node: &Node,
    attempt: Option<&Attempt>,
) -> Result<String, StoreError> {
    let mut reasons: Vec<String> = attempt.map(attempted).into_iter().collect();
    match history.last(&node.name)? {
        Some(last) => reasons.extend(differences(history, plan, node, &last)?),
        // That its inputs run too goes without saying, unless one may come out as what another node took.
        None if reasons.is_empty() && !history.is_cached_if_same(plan, node)? => return Ok(NEVER.to_owned()),
        None => {}
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

fn differences(history: &History<'_>, plan: &Plan, node: &Node, last: &Last) -> Result<Vec<String>, StoreError> {
    let found = history.differences(plan, node, last)?;
    let told = found.iter().map(|difference| tell(history, node, last, difference));
    told.chain(going_on::begins(history, plan, node, &found).transpose()).collect()
}

/// What became of the newest attempt, in one line.
pub(crate) fn attempted(attempt: &Attempt) -> String {
    let ago = attempt.time.map_or_else(String::new, |time| format!(" {}", ago(time as u64)));
    let so_far = |done: Option<u64>| {
        let progress = attempt.progress.as_ref();
        progress.map_or_else(String::new, |at| format!(", {} of {} {}", done.unwrap_or(at.done), at.of, at.unit))
    };
    let mut text = match (attempt.state, attempt.checkpoint) {
        (Attempted::Failed, _) => {
            format!("failed{ago}: {}", first_line(attempt.message.as_deref().unwrap_or_default()))
        }
        (Attempted::Running, _) => format!("running in {}{}", attempt.run, so_far(None)),
        (Attempted::Interrupted, Some(step)) => format!("interrupted{ago}{}", so_far(Some(step))),
        (Attempted::Interrupted, None) => format!("interrupted{ago}, without a checkpoint"),
    };
    if attempt.changed_since {
        text += "; changed since";
    }
    text
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
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
