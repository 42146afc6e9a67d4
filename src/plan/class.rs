//! The classes of devices that exact reproducibility puts into keys.

use std::collections::BTreeMap;

use hyper_flow_cache::Store;
use hyper_flow_spec::Kind;

use crate::pipeline::Pipeline;
use crate::worker::{self, WorkerError};

/// The class each node would run on, for a pipeline with `reproducibility: Exact`; of any other, nothing.
#[derive(Debug, Clone, Default)]
pub struct Classes(BTreeMap<String, String>);

impl Classes {
    /// Asks the worker, once per worker file; only if the pipeline is exact and has a node for a worker.
    pub fn of(pipeline: &Pipeline, store: &Store) -> Result<Classes, WorkerError> {
        let mut nodes = pipeline.nodes.values().filter(|node| !matches!(node.kind, Kind::Command(_))).peekable();
        if !pipeline.exact || nodes.peek().is_none() {
            return Ok(Classes::default());
        }
        let description = worker::describe(&worker::find()?, store)?;
        let class = |node: &crate::pipeline::Node| {
            Ok((node.name.clone(), worker::class(&description, &node.kind, &node.settings)?))
        };
        Ok(Classes(nodes.map(class).collect::<Result<_, WorkerError>>()?))
    }

    /// The class of a node.
    pub fn get(&self, node: &str) -> Option<&str> {
        self.0.get(node).map(String::as_str)
    }
}
