//! The directories of runs, as far as they can be read: a damaged one only knows less.

use std::path::PathBuf;
use std::time::SystemTime;

use hyper_flow_cache::{Key, Store};

use super::description::Description;
use super::keys::{self, Seen, Use};
use super::origin::Origin;
use crate::run::NodeEvents;

/// The directory of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The directory.
    pub path: PathBuf,
}

impl Run {
    /// The run's id.
    pub fn id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What was run.
    pub fn description(&self) -> Option<Description> {
        Description::read(&self.path)
    }

    /// The pipeline's file.
    pub fn origin(&self) -> Option<Origin> {
        self.description().map(|description| description.origin)
    }

    /// The keys of the nodes, in the order in which they were noted, without what newer runs said.
    pub(crate) fn uses(&self, description: &Description, seen: &mut Seen) -> Vec<Use> {
        keys::read(&self.path, &description.name, seen)
    }

    /// How a node used this key: the node, and whether it began to make what the key yields.
    pub fn use_of(&self, key: &Key) -> Option<(String, bool)> {
        keys::find(&self.path, key)
    }

    /// What the clock said when the last thing happened in it.
    pub fn time(&self) -> SystemTime {
        let changed = |path: PathBuf| path.metadata().and_then(|found| found.modified());
        let last = changed(self.path.join("events.jsonl")).or_else(|_| changed(self.path.clone()));
        last.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// What happened to a node.
    pub fn events(&self, node: &str) -> NodeEvents {
        NodeEvents::of(&self.path, node)
    }

    /// Whether its engine lives; yes as long as nothing shows that it does not.
    pub fn goes_on(&self) -> bool {
        keys::is_open(&self.path).unwrap_or(true)
    }
}

/// Whether the engine of a run lives; yes as long as nothing shows that it does not.
pub(crate) fn goes_on(store: &Store, run: &str) -> bool {
    Run { path: store.runs().join(run) }.goes_on()
}

/// Every run, the newest first: their names sort in their order.
pub fn newest_first(store: &Store) -> Vec<Run> {
    let entries = std::fs::read_dir(store.runs()).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut paths: Vec<PathBuf> = directories.map(|entry| entry.path()).collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.into_iter().map(|path| Run { path }).collect()
}
