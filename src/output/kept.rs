//! What the store holds, and what of it is kept and goes.

use std::path::PathBuf;

use hyper_flow_cache::{GcReport, Key, Usage, VerifyReport};
use serde::Serialize;

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
    /// The command that makes one.
    #[serde(skip)]
    pub again: String,
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
    /// The command that lets it go.
    #[serde(skip)]
    pub release: String,
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
