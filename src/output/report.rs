//! What there is to say. As JSON, these are what `--json` prints.

use std::path::PathBuf;

use hyper_flow_cache::Key;
use hyper_flow_spec::Artifact;
use serde::Serialize;

pub use super::compared::{Compared, ComparedNode, ComparedNumber, ComparedPicture, ComparedSide, Presence, Setting};
pub use super::kept::{Collected, Forgotten, Gone, Initialised, NodeOf, Pinned, Pins, Rebuilt, Stored, Verified};
pub use super::logged::{Logged, Messages, Sheet, Step, Steps};
pub use super::past::{Final, ListedRun, ListedRuns, RunPath, ShownRun};
pub use super::shown::{Ancestor, Remake, Shown, Source, User};
use crate::plan::{Cause, Provenance, State};
use crate::runs::Attempt;

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
