//! The state of every node.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Digest, Key, Record, SourceDigest, Store};
use serde::Serialize;

use super::{Classes, Graph, PlanError, Preimage};
use crate::pipeline::{Node, Pipeline};

/// What will become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The store has what its key produces.
    Cached,
    /// It will run.
    Run,
    /// An ancestor will run first, so that its key is not known yet.
    Maybe,
}

/// A node, what will become of it, and why.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The node's name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// What will become of it.
    pub state: State,
    /// Why, in one line.
    pub reason: String,
    /// Its key, where it is known.
    pub key: Option<Key>,
    /// What the key produced, if it is cached.
    pub record: Option<Record>,
}

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The selected nodes and how they depend on each other.
    pub graph: Graph,
    /// Their states, numbered as in the graph.
    pub nodes: Vec<Planned>,
    /// The content of every file and folder that they use, by absolute path, as it was when planned.
    pub sources: BTreeMap<PathBuf, SourceDigest>,
    /// The classes of devices that go into the keys.
    pub classes: Classes,
}

impl Plan {
    /// The preimage of a node, once the artifacts that go into its ports are known.
    pub fn preimage(&self, pipeline: &Pipeline, node: &Node, inputs: &BTreeMap<String, Digest>) -> Preimage {
        let files = node.files.iter().map(|(port, path)| (port.clone(), self.sources[path].digest)).collect();
        Preimage::new(pipeline, node, inputs, &files, self.classes.get(&node.name))
    }
}

/// Plans the targets and their ancestors; all nodes when there are no targets.
pub fn plan(pipeline: &Pipeline, store: &Store, targets: &[String], classes: Classes) -> Result<Plan, PlanError> {
    let _ = (pipeline, store, targets, classes);
    todo!()
}
