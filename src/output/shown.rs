//! All that is known of a node's artifact.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Digest, Entry, Key};
use hyper_flow_spec::Artifact;
use serde::Serialize;
use serde_json::Value;

use super::Room;
use super::report::NodeState;
use crate::look::{Dataset, Lora};
use crate::plan::Provenance;

/// A node's record.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The node. Its key is that of the artifact shown.
    #[serde(flatten)]
    pub node: NodeState,
    /// The type of the artifact.
    pub output: Artifact,
    /// The digest of the artifact.
    pub artifact: Digest,
    /// Bytes of the artifact.
    pub bytes: u64,
    /// Its files.
    pub files: Vec<Entry>,
    /// Its empty directories.
    pub empty_directories: Vec<String>,
    /// How it was made.
    pub made: Option<Provenance>,
    /// The version of the engine that made it, as long as the log of its run is kept.
    pub engine: Option<String>,
    /// The version of its kind that made it.
    pub version: Option<u64>,
    /// The seed; none for what has none.
    pub seed: Option<u64>,
    /// The parameters it was made with.
    pub params: Value,
    /// The names of those that are what they are when nothing is said.
    pub defaults: Vec<String>,
    /// The names of those that are not given, and have no value then.
    pub absent: Vec<String>,
    /// The files from outside the store that went in, by port.
    pub sources: BTreeMap<String, Source>,
    /// The nodes whose artifacts went in, by port, as the pipeline has them now.
    pub inputs: BTreeMap<String, String>,
    /// From what it was made, and from what that was.
    pub lineage: Vec<Ancestor>,
    /// What was made from it.
    pub used_by: Vec<User>,
    /// The model that a LoRA is for.
    pub base: Option<Ancestor>,
    /// What the node measured of itself, by name.
    pub measured: BTreeMap<String, f64>,
    /// What `metrics.json` holds, or `guard.json` of a training on rewards, if the artifact has one.
    pub metrics: Option<Value>,
    /// Texts that the node wants seen, by their path.
    pub texts: BTreeMap<String, String>,
    /// What a LoRA changes.
    pub lora: Option<Lora>,
    /// What a dataset holds.
    pub dataset: Option<Dataset>,
    /// The command that makes it again.
    pub remake: Option<Remake>,
    /// The pictures of the artifact, and where copies of them lie that can be opened.
    pub pictures: BTreeMap<String, PathBuf>,
    /// The folder of these copies.
    pub folder: Option<PathBuf>,
    /// Pictures that were not copied, for there are so many, or for the reason in `uncopied`.
    pub more_pictures: usize,
    /// Why there are no copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncopied: Option<String>,
    /// The command that shows it.
    #[serde(skip)]
    pub again: String,
    /// How wide it may be shown.
    #[serde(skip)]
    pub room: Room,
}

/// A file or folder from outside the store.
#[derive(Debug, Serialize)]
pub struct Source {
    /// Where the pipeline has it now.
    pub path: Option<PathBuf>,
    /// What was in it.
    pub digest: Option<String>,
}

/// A node from whose artifact another was made.
#[derive(Debug, Clone, Serialize)]
pub struct Ancestor {
    /// How many ports are between.
    pub depth: usize,
    /// The port it went into.
    pub port: String,
    /// Its name.
    pub node: String,
    /// Its kind; none if its record is gone.
    pub kind: Option<String>,
    /// Its key.
    pub key: Key,
    /// Where it comes from, if that is a model hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// Whether its own inputs were told before.
    pub told_before: bool,
}

/// A node that takes an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct User {
    /// The file of its pipeline, if it is another one.
    pub pipeline: Option<String>,
    /// Its name.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// The port that takes it.
    pub port: String,
    /// The newest run in which it did; none if it only would.
    pub run: Option<String>,
}

/// How to make an artifact again.
#[derive(Debug, Serialize)]
pub struct Remake {
    /// A line for a shell.
    pub command: String,
    /// What is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
