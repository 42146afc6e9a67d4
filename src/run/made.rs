//! What a record says beside its artifact.

use std::collections::BTreeMap;

use hyper_flow_cache::Record;
use serde::{Deserialize, Serialize};

use crate::plan::Provenance;

/// The `meta` of a record that a run publishes. Nothing of it is in a key or an artifact.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Made {
    #[serde(flatten)]
    pub(super) provenance: Provenance,
    #[serde(flatten)]
    pub(super) said: Said,
}

/// What the worker said that is worth keeping.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The files of the artifact that a person wants to see when the run ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) show: Vec<String>,
    /// The last value of each number that is no loss.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The GPUs' driver, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
}

impl Said {
    /// Of a record; nothing if another program wrote it.
    pub(crate) fn of(record: &Record) -> Said {
        record.meta.read().unwrap_or_default()
    }
}
