//! Runs, as far as their directories can be read: a damaged one only knows less.

use std::path::PathBuf;
use std::time::SystemTime;

use hyper_flow_cache::Store;
use serde::Deserialize;

use super::keys::{self, Seen, Use};
use super::origin::Origin;
use crate::run::NodeEvents;

/// The directory of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The directory.
    pub(crate) path: PathBuf,
}

/// The part of `run.json` that is needed here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(crate) origin: Origin,
    name: String,
}

impl Run {
    /// The run's id.
    pub(crate) fn id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Which pipeline was run.
    pub(crate) fn description(&self) -> Option<Description> {
        let bytes = std::fs::read(self.path.join("run.json")).ok()?;
        let Description { origin, name } = serde_json::from_slice(&bytes).ok()?;
        Some(Description { origin: origin.settled(), name })
    }

    /// The pipeline's file.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.description().map(|description| description.origin)
    }

    /// The keys of the nodes, in the order in which they were noted, without what newer runs said.
    pub(crate) fn uses(&self, description: &Description, seen: &mut Seen) -> Vec<Use> {
        keys::read(&self.path, &description.name, seen)
    }

    /// What the clock said when the last thing happened in it.
    pub(crate) fn time(&self) -> SystemTime {
        let changed = |path: PathBuf| path.metadata().and_then(|found| found.modified());
        let last = changed(self.path.join("events.jsonl")).or_else(|_| changed(self.path.clone()));
        last.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// What happened to a node.
    pub(crate) fn events(&self, node: &str) -> NodeEvents {
        NodeEvents::of(&self.path, node)
    }
}

/// Whether the engine of a run lives; yes as long as nothing shows that it does not.
pub(crate) fn goes_on(store: &Store, run: &str) -> bool {
    keys::is_open(&store.runs().join(run)).unwrap_or(true)
}

/// Every run, the newest first: their names sort in their order.
pub(crate) fn newest_first(store: &Store) -> Vec<Run> {
    let entries = std::fs::read_dir(store.runs()).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut paths: Vec<PathBuf> = directories.map(|entry| entry.path()).collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.into_iter().map(|path| Run { path }).collect()
}
