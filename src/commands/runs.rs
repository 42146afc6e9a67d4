//! The runs that a store remembers.

use std::path::{Path, PathBuf};

use hyper_flow_cache::Store;
use serde::Deserialize;

/// One run, as its directory tells.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The directory.
    pub(crate) path: PathBuf,
    /// The pipeline file, if the run's description can be read.
    pub(crate) pipeline: Option<PathBuf>,
}

/// The part of `run.json` that is needed here.
#[derive(Deserialize)]
struct Description {
    pipeline: PathBuf,
}

/// Every run, the newest first: their names sort by time.
pub(crate) fn newest_first(store: &Store) -> Vec<Run> {
    let entries = std::fs::read_dir(store.runs()).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.into_iter().map(|path| Run { pipeline: pipeline(&path), path }).collect()
}

fn pipeline(run: &Path) -> Option<PathBuf> {
    let description: Description = serde_json::from_slice(&std::fs::read(run.join("run.json")).ok()?).ok()?;
    Some(description.pipeline)
}
