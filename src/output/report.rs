//! What there is to say. As JSON, these are what `--json` prints.

use std::path::PathBuf;

use hyper_flow_cache::{GcReport, Key, Usage, VerifyReport};
use hyper_flow_spec::{Artifact, Memory};
use serde::Serialize;

pub use super::compared::{Compared, ComparedNode, ComparedNumber, ComparedPicture, ComparedSide, Presence, Setting};
pub use super::logged::{Messages, Step, Steps};
pub use super::shown::{Ancestor, Remake, Shown, Source, User};
use crate::plan::{Cause, Provenance, State};
use crate::runs::{Attempt, Ending, Past};

/// What a run would do.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The nodes, in an order in which they can run.
    pub nodes: Vec<NodeState>,
}

/// A node and what will become of it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// What will become of it.
    pub state: State,
    /// Why, in one line.
    pub reason: String,
    /// Its key, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The newest attempt at it, if it came to no artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// Why a node will run, or why it is cached.
#[derive(Debug, Serialize)]
pub struct Why {
    /// The node.
    #[serde(flatten)]
    pub node: NodeState,
    /// In what it differs from its last record.
    pub causes: Vec<Cause>,
    /// How its artifact was made, if it is cached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Provenance>,
}

/// A graph.
#[derive(Debug, Serialize)]
pub struct Drawn {
    /// The nodes, in an order in which they can run.
    pub nodes: Vec<DrawnNode>,
    /// What goes from where to where.
    pub edges: Vec<Edge>,
    /// The graph in the language that was asked for.
    #[serde(skip)]
    pub text: String,
}

/// A node of a graph.
#[derive(Debug, Serialize)]
pub struct DrawnNode {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// What it yields.
    pub artifact: Artifact,
}

/// An edge of a graph.
#[derive(Debug, Serialize)]
pub struct Edge {
    /// The node that yields.
    pub from: String,
    /// The node that takes.
    pub to: String,
    /// The port it goes into.
    pub port: String,
}

/// Nodes and their artifacts.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The nodes, in an order in which they can run.
    pub nodes: Vec<ListedNode>,
}

/// A node and its artifact: the one of its key, or else that of its last run.
#[derive(Debug, Serialize)]
pub struct ListedNode {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// What will become of it.
    pub state: State,
    /// The newest attempt at it, if it came to no artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The type of its artifact.
    pub output: Artifact,
    /// The key of the artifact.
    pub key: Option<Key>,
    /// Bytes of the artifact.
    pub bytes: Option<u64>,
    /// When it was last used, in seconds since 1970.
    pub used: Option<u64>,
}

/// A node's run.
#[derive(Debug, Default, Serialize)]
pub struct Logged {
    /// The node.
    pub node: String,
    /// The run.
    pub run: String,
    /// What the node is called there, if it is called otherwise now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// The runs that it went on from, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub went_on_from: Vec<String>,
    /// Where all of its log is.
    pub directory: PathBuf,
    /// How it ended: `node_ran`, `node_failed`, `node_interrupted`; none while it goes on, or if the engine was killed.
    pub ended: Option<String>,
    /// Whether it goes on.
    pub running: bool,
    /// How long it took, if it was done.
    pub seconds: Option<f64>,
    /// The most memory that its worker has had, as far as it said.
    pub memory: Option<Memory>,
    /// What it and the engine said, in order.
    pub messages: Messages,
    /// Its training steps, from the first on.
    pub steps: Steps,
    /// What its numbers are shown on.
    #[serde(skip)]
    pub sheet: Sheet,
    /// Whether they are drawn.
    #[serde(skip)]
    pub plot: bool,
    /// What it printed on standard output, of a `Command`.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

/// What tables and curves are fitted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Columns of text.
    pub columns: usize,
    /// Whether it shows no more than ASCII.
    pub ascii: bool,
}

/// An export.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// The node.
    pub node: String,
    /// The directory.
    pub dest: PathBuf,
    /// Files written.
    pub written: Vec<String>,
    /// Files that were there already.
    pub unchanged: Vec<String>,
    /// Files of an earlier export that the artifact has no more.
    pub removed: Vec<String>,
}

/// What the store holds.
#[derive(Debug, Serialize)]
pub struct Stored {
    /// The directory of the store.
    pub store: PathBuf,
    /// By part.
    #[serde(flatten)]
    pub usage: Usage,
}

impl Stored {
    /// The parts by name: files and bytes.
    pub fn areas(&self) -> [(&'static str, u64, u64); 10] {
        let usage = &self.usage;
        [
            ("objects", &usage.objects),
            ("trees", &usage.trees),
            ("records", &usage.records),
            ("preimages", &usage.preimages),
            ("runs", &usage.runs),
            ("scratch", &usage.scratch),
            ("tmp", &usage.tmp),
            ("damaged", &usage.damaged),
            ("memos", &usage.memos),
            ("index", &usage.index),
        ]
        .map(|(name, area)| (name, area.files, area.bytes))
    }
}

/// A verification.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What was read and found.
    #[serde(flatten)]
    pub report: VerifyReport,
    /// Whether what was altered is set aside.
    pub repaired: bool,
}

/// A garbage collection.
#[derive(Debug, Serialize)]
pub struct Collected {
    /// What went.
    #[serde(flatten)]
    pub report: GcReport,
    /// Whose artifacts and checkpoints they were.
    pub nodes: Vec<Gone>,
    /// The nodes that a process still works on, whose engine is gone.
    #[serde(rename = "busy_nodes")]
    pub busy: Vec<NodeOf>,
    /// Logs of runs that went.
    pub runs: Vec<String>,
    /// Whether it only says what would go.
    pub dry_run: bool,
}

/// A node of some pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeOf {
    /// The file of its pipeline, or its name where no run knows the file any more.
    pub pipeline: String,
    /// The node.
    pub node: String,
}

/// What went of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// The node.
    #[serde(flatten)]
    pub node: NodeOf,
    /// How many of its artifacts.
    pub artifacts: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
}

/// Artifacts that are kept for good.
#[derive(Debug, Serialize)]
pub struct Pins {
    /// By name.
    pub pins: Vec<Pinned>,
}

/// An artifact that is kept for good.
#[derive(Debug, Serialize)]
pub struct Pinned {
    /// The name of the pin.
    pub name: String,
    /// The node that yielded it.
    pub node: String,
    /// The file of the pipeline that the node was in.
    pub pipeline: String,
    /// Its key.
    pub key: Key,
    /// Bytes of the artifact; none if it is lost.
    pub bytes: Option<u64>,
    /// When it was pinned, in seconds since 1970.
    pub pinned: u64,
}

/// A node that was made to be run again.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// The node.
    pub node: String,
    /// Its key.
    pub key: Key,
    /// Bytes of the artifact that was forgotten, if there was one.
    pub bytes: Option<u64>,
    /// Whether there was a checkpoint.
    pub checkpoint: bool,
    /// Names of its pins that went, too.
    pub pins: Vec<String>,
    /// The nodes that take its artifact.
    pub taken_by: Vec<String>,
}

/// Runs, the newest first.
#[derive(Debug, Serialize)]
pub struct ListedRuns {
    /// Those that were asked for.
    pub runs: Vec<ListedRun>,
    /// How many older ones there are.
    pub older: usize,
    /// Columns of the terminal, if it is one.
    #[serde(skip)]
    pub columns: Option<usize>,
}

/// A run, in a few words.
#[derive(Debug, Serialize)]
pub struct ListedRun {
    /// Its id.
    pub run: String,
    /// The beginning of that which says enough.
    #[serde(skip)]
    pub short: String,
    /// When it began, in seconds since 1970.
    pub started: Option<f64>,
    /// How long it took; none while it goes on.
    pub seconds: Option<f64>,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The pipeline's file, as it was then.
    pub file: PathBuf,
    /// The nodes that were asked for; none for all.
    pub targets: Vec<String>,
    /// What `--set` changed.
    pub set: Vec<String>,
    /// The file that `--params` named.
    pub params: Option<PathBuf>,
    /// How it ended, or that it has not.
    pub ending: Ending,
    /// The node that failed and why, or that was stopped or runs and how far it is.
    pub what: Option<String>,
    /// What it came to.
    pub finals: Vec<Final>,
}

/// A number that a run came to: of a candidate of an `Eval` at each of its step counts, or of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Final {
    /// The node.
    pub node: String,
    /// The candidate, of an `Eval`.
    pub candidate: Option<String>,
    /// The name of the number.
    pub name: String,
    /// The step counts.
    pub steps: Vec<i64>,
    /// The number, at each of them.
    pub values: Vec<f64>,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct ShownRun {
    /// All that is known of it.
    #[serde(flatten)]
    pub past: Past,
    /// How long it took; none while it goes on.
    pub seconds: Option<f64>,
    /// What it came to.
    pub finals: Vec<Final>,
    /// The command that runs the same again.
    pub again: String,
    /// When it began, in seconds since 1970.
    #[serde(rename = "began")]
    pub started: Option<f64>,
}

/// Where runs are.
#[derive(Debug, Serialize)]
pub struct RunPath {
    /// The directory.
    pub path: PathBuf,
}

/// A rebuilt index.
#[derive(Debug, Serialize)]
pub struct Rebuilt {
    /// Records found.
    pub records: u64,
}

/// A store that was made or shared.
#[derive(Debug, Serialize)]
pub struct Initialised {
    /// The directory of the store.
    pub store: PathBuf,
    /// Whether its group has it in common.
    pub shared: bool,
    /// Whether there was none before.
    pub made: bool,
    /// How many files and directories were opened to the group.
    pub changed: u64,
}
