//! What a record says of how its artifact was made. It is in no key and in no artifact.

use std::collections::BTreeMap;

use hyper_flow_cache::{Key, Record};
use hyper_flow_spec::{Artifact, Memory};
use serde::{Deserialize, Serialize};

/// The `meta` of a [`Record`]: who made the artifact, when, where, and from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The kind of the node.
    pub kind: String,
    /// The type of the artifact.
    pub output: Artifact,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The name of the node.
    pub node: String,
    /// The run that made it.
    pub run: String,
    /// The keys of the records whose artifacts went in, by port: with them, `why` follows a changed input
    /// to what changed in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Key>,
    /// The class of the device, `cpu:avx2x2`; none for a `Command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Version of libtorch; none for a `Command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libtorch: Option<String>,
    /// Version of the worker, or of the engine for a `Command`.
    pub worker: String,
    /// Threads it had.
    pub threads: usize,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that its worker had; none for a `Command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What the worker had to say: what it left out, what it noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// When it was done, in seconds since 1970.
    pub finished: u64,
}

impl Provenance {
    /// Of a record; `None` if another program wrote it.
    pub fn of(record: &Record) -> Option<Provenance> {
        record.meta.read().ok()
    }
}
