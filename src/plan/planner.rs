//! The state of every node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Key, Record, SourceDigest, Store};
use serde::Serialize;

use super::history::History;
use super::reason;
use super::{Classes, Graph, PlanError, Preimage, shortfall};
use crate::pipeline::{Node, Pipeline};
use crate::runs::{Attempt, LastKeys};

/// What will become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The store has what its key produces.
    Cached,
    /// It will run, also if an ancestor has to first.
    Run,
    /// An ancestor will run first, and it is cached if that comes out as it last did; or a node of the same key will run.
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
    /// The newest attempt at it, if it is not cached and that came to no artifact.
    pub attempt: Option<Attempt>,
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
    /// The plan of one node, if it was selected.
    pub fn get(&self, node: &str) -> Option<&Planned> {
        self.graph.index(node).map(|index| &self.nodes[index])
    }

    /// The preimage of a node, once the artifacts that go into its ports are known.
    ///
    /// # Panics
    /// If the node was not selected.
    pub fn preimage(&self, pipeline: &Pipeline, node: &Node, inputs: &BTreeMap<String, Digest>) -> Preimage {
        let files = node.files.iter().map(|(port, path)| (port.clone(), self.sources[path].digest)).collect();
        Preimage::new(pipeline, node, inputs, &files, self.classes.get(&node.name))
    }

    /// The digests of a node's inputs; `None` while one is not known.
    pub fn inputs(&self, node: &Node) -> Option<BTreeMap<String, Digest>> {
        let artifact = |name: &str| Some(self.get(name)?.record.as_ref()?.artifact);
        node.inputs.iter().map(|(port, name)| Some((port.clone(), artifact(name)?))).collect()
    }
}

/// Plans the targets and their ancestors; all nodes when there are no targets.
pub fn plan(pipeline: &Pipeline, store: &Store, targets: &[String], classes: Classes) -> Result<Plan, PlanError> {
    let graph = Graph::new(pipeline, targets)?;
    let sources = digest_sources(pipeline, store, &graph)?;
    let nodes = Vec::with_capacity(graph.len());
    let keys = LastKeys::of(pipeline, store);
    let mut planner = Planner {
        pipeline,
        store,
        history: History::new(pipeline, store, &keys),
        plan: Plan { graph, nodes, sources, classes },
        running: BTreeMap::new(),
    };
    for index in 0..planner.plan.graph.len() {
        let planned = planner.node(index)?;
        planner.plan.nodes.push(planned);
    }
    Ok(planner.plan)
}

struct Planner<'a> {
    pipeline: &'a Pipeline,
    store: &'a Store,
    history: History<'a>,
    plan: Plan,
    /// The nodes that will run, by key: a second one of the same key waits for the first and takes its artifact.
    running: BTreeMap<Key, String>,
}

impl Planner<'_> {
    fn node(&mut self, index: usize) -> Result<Planned, PlanError> {
        let node = &self.pipeline.nodes[self.plan.graph.name(index)];
        let planned = |state, reason, key, record, attempt| Planned {
            name: node.name.clone(),
            kind: node.kind.name(),
            state,
            reason,
            key,
            record,
            attempt,
        };
        let Some(inputs) = self.plan.inputs(node) else {
            let attempt = self.history.attempt(&node.name, None)?;
            let maybe = self.history.is_cached_if_same(&self.plan, node)?;
            let reason = reason::waiting(&self.history, &self.plan, node, attempt.as_ref())?;
            return Ok(planned(if maybe { State::Maybe } else { State::Run }, reason, None, None, attempt));
        };
        let key = self.plan.preimage(self.pipeline, node, &inputs).key();
        if let Some(record) = self.store.lookup(&key)? {
            if let Some(why) = shortfall(&node.kind, &record) {
                let attempt = self.history.attempt(&node.name, Some(&key))?;
                return Ok(planned(State::Run, why, Some(key), None, attempt));
            }
            let reason = reason::cached(self.pipeline, node, &record);
            return Ok(planned(State::Cached, reason, Some(key), Some(record), None));
        }
        let attempt = self.history.attempt(&node.name, Some(&key))?;
        if let Some(same) = self.running.get(&key) {
            let reason = format!("the same as {same}, which will run");
            return Ok(planned(State::Maybe, reason, Some(key), None, attempt));
        }
        self.running.insert(key, node.name.clone());
        let reason = reason::running(&self.history, &self.plan, node, &key, attempt.as_ref())?;
        Ok(planned(State::Run, reason, Some(key), None, attempt))
    }
}

fn digest_sources(
    pipeline: &Pipeline,
    store: &Store,
    graph: &Graph,
) -> Result<BTreeMap<PathBuf, SourceDigest>, PlanError> {
    let mut sources = BTreeMap::new();
    for index in 0..graph.len() {
        let node = &pipeline.nodes[graph.name(index)];
        for path in node.files.values() {
            if !sources.contains_key(path) {
                let digest = store.digest_path(path).map_err(|source| PlanError::Source {
                    node: node.name.clone(),
                    path: relative(pipeline, path),
                    source,
                })?;
                sources.insert(path.clone(), digest);
            }
        }
    }
    Ok(sources)
}

/// A path as the pipeline file would write it.
pub(super) fn relative(pipeline: &Pipeline, path: &Path) -> String {
    let folder = pipeline.path.parent().unwrap_or(Path::new(""));
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}
