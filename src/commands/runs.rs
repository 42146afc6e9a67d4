//! The runs that a store remembers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::Store;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The directory of a run, as far as it can be read: a damaged log only knows less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The directory.
    pub(crate) path: PathBuf,
}

/// The part of `run.json` that is needed here.
#[derive(Deserialize)]
struct Description {
    pipeline: PathBuf,
    name: String,
}

impl Run {
    /// The run's id.
    pub(crate) fn id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The pipeline's file.
    pub(crate) fn pipeline(&self) -> Option<PathBuf> {
        self.description().map(|description| description.pipeline)
    }

    /// The pipeline's name.
    pub(crate) fn pipeline_name(&self) -> Option<String> {
        self.description().map(|description| description.name)
    }

    /// The keys of the nodes, by label.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.json("labels.json").unwrap_or_default()
    }

    /// What happened, by line; lines that are none are passed over.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read(self.path.join("events.jsonl")).unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    fn description(&self) -> Option<Description> {
        self.json("run.json")
    }

    fn json<T: DeserializeOwned>(&self, file: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.path.join(file)).ok()?).ok()
    }
}

/// Every run, the newest first: their names sort by time.
pub(crate) fn newest_first(store: &Store) -> Vec<Run> {
    let entries = std::fs::read_dir(store.runs()).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.into_iter().map(|path| Run { path }).collect()
}
