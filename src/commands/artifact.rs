//! The artifact that a command about a node means.

use hyper_flow_cache::{Record, StoreError};

use crate::commands::source::Loaded;
use crate::error::Failure;
use crate::runs::LastKeys;

/// The record of each planned node: of its key, or else of its last run.
pub(crate) fn records(loaded: &Loaded) -> Result<Vec<Option<Record>>, StoreError> {
    let last = LastKeys::of(&loaded.pipeline, &loaded.store);
    let record = |planned: &crate::plan::Planned| match &planned.record {
        Some(record) => Ok(Some(record.clone())),
        None => match last.get(&planned.name)? {
            Some(key) => loaded.store.lookup(&key),
            None => Ok(None),
        },
    };
    loaded.plan.nodes.iter().map(record).collect()
}

/// The node's artifact of its last run is not what its key would produce, or there is none.
pub(crate) fn missing(node: &str, reason: &str) -> Failure {
    let message = format!("node `{node}` has no artifact in the store: {reason}");
    Failure::usage(message, format!("make it first: `hyper-flow run {node}`"))
}
