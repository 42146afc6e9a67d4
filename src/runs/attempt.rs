//! What became of the newest attempt at a node, where it came to nothing, or goes on.

use serde::Serialize;

use super::course::{PastNode, Progress, Status};
use super::past::Past;

/// How an attempt at a node ended without an artifact, or that it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempted {
    /// It failed.
    Failed,
    /// It was stopped, or its engine was killed.
    Interrupted,
    /// It runs.
    Running,
}

/// An attempt at a node that has no artifact, in one of the runs that are kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// The run.
    pub run: String,
    /// How it ended, or that it has not.
    pub state: Attempted,
    /// When it ended, or began if it has not, in seconds since 1970.
    pub time: Option<f64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How far it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The step that it goes on after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
    /// Whether it was another key: what the node does, or takes, was changed since.
    pub changed_since: bool,
}

impl Attempt {
    /// Of a node in a run, if it was one.
    pub(crate) fn of(past: &Past, node: &PastNode) -> Option<Attempt> {
        let (state, message) = match &node.status {
            Status::Failed { message } => (Attempted::Failed, Some(message.clone())),
            Status::Interrupted | Status::Died => (Attempted::Interrupted, None),
            Status::Running => (Attempted::Running, None),
            Status::Waiting { .. } | Status::Cached | Status::Ran | Status::Skipped { .. } => return None,
        };
        Some(Attempt {
            run: past.id.clone(),
            state,
            time: node.ended.or(node.started),
            message,
            progress: node.progress.clone(),
            checkpoint: node.checkpoint,
            changed_since: false,
        })
    }
}
