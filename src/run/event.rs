//! What happens in a run, as the display and the log are told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Digest, Key};
use hyper_flow_spec::metrics::Metrics;
use hyper_flow_spec::{Event as WorkerEvent, Level, Memory};
use serde::Serialize;

/// Something that happened in a run. As JSON, one object with its `event`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// Its id, the name of its directory.
        run: String,
        /// The pipeline's name.
        pipeline: String,
        /// How many nodes are selected.
        nodes: usize,
        /// Where the run's log is.
        log: PathBuf,
    },
    /// Another run works on the same key, and is waited for.
    NodeWaiting {
        /// The node.
        node: String,
        /// Who has the key.
        holder: String,
    },
    /// A node's key has a record.
    NodeCached {
        /// The node.
        node: String,
        /// Its key.
        key: Key,
        /// The artifact of the record.
        artifact: Digest,
    },
    /// A node's process is about to start.
    NodeStarted {
        /// The node.
        node: String,
        /// Its kind.
        kind: &'static str,
        /// Its key.
        key: Key,
        /// Why it runs; none if nothing is known of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Threads it computes with.
        threads: usize,
        /// GPUs it was given.
        gpus: Vec<String>,
    },
    /// A node failed and is started again.
    NodeRetried {
        /// The node.
        node: String,
        /// How it failed.
        message: String,
        /// Attempts that are left.
        left: u32,
    },
    /// A node ran, and its artifact is in the store.
    NodeRan {
        /// The node.
        node: String,
        /// Its key.
        key: Key,
        /// What it yielded.
        artifact: Digest,
        /// Bytes of the artifact.
        bytes: u64,
        /// Files of the artifact.
        files: u64,
        /// From the start of its process to the publishing.
        seconds: f64,
        /// The most memory that its worker had; none for a `Command`.
        #[serde(skip_serializing_if = "Option::is_none")]
        memory: Option<Memory>,
    },
    /// A node failed.
    NodeFailed {
        /// The node.
        node: String,
        /// Why, and what to do.
        message: String,
        /// The end of what it printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        /// The directory with all of what it printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<PathBuf>,
    },
    /// A node was stopped before it was done.
    NodeInterrupted {
        /// The node.
        node: String,
        /// The step it goes on after, if it wrote a checkpoint.
        checkpoint: Option<u64>,
    },
    /// A node was not started.
    NodeSkipped {
        /// The node.
        node: String,
        /// Why not.
        because: String,
    },
    /// An artifact that was taken for whole turned out altered; the node that yields it runs again.
    NodeRepaired {
        /// The node that runs again.
        node: String,
        /// What was found.
        message: String,
    },
    /// The user asked to stop.
    Stopping {
        /// Whether processes are killed, not asked.
        now: bool,
        /// Nodes whose processes are stopped.
        running: usize,
    },
    /// What is run was changed meanwhile.
    Changed {
        /// How, and what becomes of the run.
        message: String,
    },
    /// Something about the run as a whole that is probably not what was meant.
    Warning {
        /// What.
        message: String,
    },
    /// A picture or table that a node wants seen.
    Shown {
        /// The node.
        node: String,
        /// A readable copy.
        path: PathBuf,
        /// The content, if it is text.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The numbers, if it is the text of an `Eval`'s: people are shown its table.
        #[serde(skip)]
        metrics: Option<Box<Metrics>>,
    },
    /// The run is over.
    Summary(Summary),
    /// What the node's process says; flat, with the `event` of the worker.
    #[serde(untagged)]
    Worker {
        /// The node.
        node: String,
        /// What it says.
        #[serde(flatten)]
        event: WorkerEvent,
    },
}

impl Event {
    /// Words about a node.
    pub(crate) fn message(node: &str, level: Level, text: impl Into<String>) -> Event {
        Event::Worker { node: node.to_owned(), event: WorkerEvent::Message { level, text: text.into() } }
    }
}

/// What became of each selected node: every one is in exactly one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Ran and were published.
    pub ran: Vec<String>,
    /// Were in the store.
    pub cached: Vec<String>,
    /// Failed.
    pub failed: Vec<String>,
    /// Were not started, because of a failure or an interruption.
    pub skipped: Vec<String>,
    /// Were stopped before they were done.
    pub interrupted: Vec<String>,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Ran,
    Cached,
    Failed,
    Skipped,
    Interrupted,
}

impl Summary {
    /// Names in the order they come, by outcome.
    pub(crate) fn of<'a>(ends: impl IntoIterator<Item = (&'a str, Outcome)>) -> Summary {
        let mut lists: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
        for (name, outcome) in ends {
            lists.entry(outcome).or_default().push(name.to_owned());
        }
        let mut list = |outcome| lists.remove(&outcome).unwrap_or_default();
        Summary {
            ran: list(Outcome::Ran),
            cached: list(Outcome::Cached),
            failed: list(Outcome::Failed),
            skipped: list(Outcome::Skipped),
            interrupted: list(Outcome::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says_is_flat() {
        let event = WorkerEvent::Checkpoint { step: 7 };
        let json = serde_json::to_string(&Event::Worker { node: "a".into(), event }).unwrap();
        assert_eq!(json, r#"{"node":"a","event":"checkpoint","step":7}"#);
    }

    #[test]
    fn a_summary_is_one_flat_event() {
        let summary = Summary::of([("a", Outcome::Ran), ("b", Outcome::Cached), ("c", Outcome::Ran)]);
        let json = serde_json::to_string(&Event::Summary(summary)).unwrap();
        assert_eq!(
            json,
            r#"{"event":"summary","ran":["a","c"],"cached":["b"],"failed":[],"skipped":[],"interrupted":[]}"#
        );
    }
}
