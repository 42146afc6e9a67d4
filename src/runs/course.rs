//! What became of a run and of each of its nodes, and `summary.json`, which keeps that.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_cache::{Digest, Key};
use serde::{Deserialize, Serialize};

use super::write::write_json;

const FILE: &str = "summary.json";

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every node that was asked for has its artifact.
    Done,
    /// A node failed, or the store did.
    Failed,
    /// It was asked to stop.
    Interrupted,
    /// Its engine lives.
    Running,
    /// Its engine was killed.
    Died,
}

/// What became of a node in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// Its turn has not come; of a run that has ended: did not come.
    Waiting {
        /// Who works on the same key, and is waited for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
    },
    /// The store had it.
    Cached,
    /// Its process runs.
    Running,
    /// It ran, and its artifact is in the store.
    Ran,
    /// It failed.
    Failed {
        /// Why.
        message: String,
    },
    /// It was stopped before it was done.
    Interrupted,
    /// It was not started.
    Skipped {
        /// Why not.
        because: String,
    },
    /// It ran when the engine was killed.
    Died,
}

/// How far a node is, or was when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
    /// Of what: `steps` of a training.
    pub unit: String,
}

/// A node in a run. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastNode {
    /// Its name.
    pub name: String,
    /// Its kind, where it is known: an earlier version did not say it of nodes that were not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
    /// Its key, once its inputs were there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What it yielded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Digest>,
    /// When it was started, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<f64>,
    /// When it ended, if it was started and has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
    /// How often it was started.
    #[serde(default)]
    pub attempts: u32,
    /// How far it is or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The step that it went on after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<u64>,
    /// The last step that is in a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
    /// The loss terms of the last step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub losses: BTreeMap<String, f64>,
    /// The last value of each number that is no loss.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl PastNode {
    /// One of which nothing is known yet.
    pub(super) fn new(name: &str) -> PastNode {
        PastNode {
            name: name.to_owned(),
            kind: None,
            status: Status::Waiting { holder: None },
            key: None,
            artifact: None,
            started: None,
            ended: None,
            attempts: 0,
            progress: None,
            resumed: None,
            checkpoint: None,
            losses: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    /// How long it took, or has been running.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.ended? - self.started?)
    }

    /// Its last loss: the sum of the terms.
    pub fn loss(&self) -> Option<f64> {
        (!self.losses.is_empty()).then(|| self.losses.values().sum())
    }
}

/// What became of a run. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// How it ended, or that it has not.
    pub ending: Ending,
    /// When it ended; of a run that was killed, when the last thing was heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
    /// The nodes that were selected, in an order in which they can run.
    pub nodes: Vec<PastNode>,
}

impl Course {
    /// As the run left it at its end; none if it did not come to it, or was one of an earlier version.
    pub(super) fn read(run: &Path) -> Option<Course> {
        serde_json::from_slice(&std::fs::read(run.join(FILE)).ok()?).ok()
    }

    /// Into the directory of the run. What cannot be written is read from the events.
    pub(crate) fn write(&self, run: &Path) {
        let _ = write_json(&run.join(FILE), self);
    }
}
