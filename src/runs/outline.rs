//! `plan.json`: the nodes of a run, before anything happened.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write::write_json;

const FILE: &str = "plan.json";

/// A node that was selected, and what the plan said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlined {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The nodes whose artifacts it takes, by port.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// Why it was planned to run; none if it was cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Writes them, in an order in which they can run. A full disk must not stop a run for want of this.
pub(crate) fn write_outline(run: &Path, nodes: &[Outlined]) {
    let _ = write_json(&run.join(FILE), &nodes);
}

/// The nodes of a run; none of one of an earlier version.
pub fn read_outline(run: &Path) -> Vec<Outlined> {
    let bytes = std::fs::read(run.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
