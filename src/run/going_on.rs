//! Where a training begins, and what is kept of one that is done for a longer one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Key, Store, StoreError};

use super::attempt::Attempt;
use super::context::Context;
use crate::pipeline::Node;
use crate::plan::going_on::{Mark, checkpoints, furthest};

/// The scratch directory of a job. A training that has no checkpoint in it, and is not forced to train anew, gets the last one
/// of its course.
pub(super) fn scratch(attempt: &Attempt<'_>) -> Result<PathBuf, StoreError> {
    let (context, store, key) = (attempt.context, &attempt.context.store, attempt.key);
    let scratch = store.scratch(key)?;
    let (Some(course), Some(training)) = (attempt.course, attempt.node.kind.training()) else { return Ok(scratch) };
    if let Err(error) = mark(context, attempt.node, &course).write(store, key) {
        tracing::warn!(%error, "the scratch directory does not say of which course it is");
    }
    if attempt.is_forced || !checkpoints(store, key).is_empty() {
        return Ok(scratch);
    }
    // One that is gone when it is to be read was replaced by its own training: this one then starts anew.
    if let Some(begun) = furthest(store, &course, training.steps.get().unsigned_abs())?
        && let Some(name) = begun.path.file_name()
        && let Err(error) = link(&begun.path, &scratch.join(name))
    {
        tracing::warn!(%error, "the checkpoint of the shorter training cannot be read");
    }
    Ok(scratch)
}

/// Keeps the last checkpoint of a training that is done, and of its course only the furthest. It is no part of the result: what
/// goes wrong costs a longer training its beginning.
pub(super) fn keep(context: &Context, node: &Node, key: &Key, course: &Key) {
    if let Err(error) = try_keep(context, node, key, course) {
        tracing::warn!(%error, "no checkpoint is kept for a longer training");
    }
}

fn try_keep(context: &Context, node: &Node, key: &Key, course: &Key) -> Result<(), StoreError> {
    let store = &context.store;
    let Some(last) = checkpoints(store, key).pop() else { return Ok(()) };
    let folder = store.scratch(course)?;
    let io_error = |error| StoreError::Io { doing: "keep", path: last.path.clone(), error };
    mark(context, node, course).write(store, course).map_err(io_error)?;
    fs::rename(&last.path, folder.join(last.path.file_name().unwrap_or_default())).map_err(io_error)?;
    forget_all_but_one(store, course).map_err(io_error)
}

fn forget_all_but_one(store: &Store, course: &Key) -> io::Result<()> {
    let kept = checkpoints(store, course);
    kept.iter().rev().skip(1).try_for_each(|older| fs::remove_file(&older.path))
}

fn mark(context: &Context, node: &Node, course: &Key) -> Mark {
    Mark { course: course.to_string(), pipeline: context.pipeline.name.clone(), node: node.name.clone() }
}

/// Nobody writes into a checkpoint that has its name, so that two directories may share one.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| {
        let partial = to.with_extension("partial");
        fs::copy(from, &partial)?;
        fs::rename(&partial, to)
    })
}
