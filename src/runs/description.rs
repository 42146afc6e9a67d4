//! `run.json`: what was asked for, so that it can be had again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::write::write_json;

const FILE: &str = "run.json";
/// The text of the pipeline's file, as it was run.
pub(super) const PIPELINE: &str = "pipeline.ron";
/// The text of the file that `--params` named.
pub(super) const PARAMS: &str = "params.ron";

/// What was asked for. An earlier version says less.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The run.
    #[serde(default)]
    pub run: String,
    /// When it began, `2026-11-22T22:32:26.123Z`.
    #[serde(default)]
    pub started: String,
    /// The name that the pipeline gives itself.
    pub name: String,
    /// The pipeline's file.
    #[serde(flatten)]
    pub origin: Origin,
    /// The nodes that were asked for; none for all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// What `--set` changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// The file that `--params` named, absolute. Its text is beside this, in `params.ron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<PathBuf>,
    /// The whole command line.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The version of hyper-flow.
    #[serde(default)]
    pub version: String,
}

impl Description {
    /// Of the run in this directory, as far as it says.
    pub(super) fn read(run: &Path) -> Option<Description> {
        let bytes = std::fs::read(run.join(FILE)).ok()?;
        let description: Description = serde_json::from_slice(&bytes).ok()?;
        Some(Description { origin: description.origin.settled(), ..description })
    }

    /// Into the directory of the run.
    pub(super) fn write(&self, run: &Path) -> Result<(), hyper_flow_cache::StoreError> {
        let path = run.join(FILE);
        write_json(&path, self).map_err(super::io_error("write", &path))
    }
}
