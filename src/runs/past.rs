//! A run as a whole: what was asked for, and what became of it.

use std::path::{Path, PathBuf};

use hyper_flow_cache::{Key, Store};
use serde::Serialize;

use super::clock::Utc;
use super::course::{Course, Ending, PastNode};
use super::description::{Description, PARAMS, PIPELINE};
use super::directory::{Run, newest_first};
use super::outline::read_outline;
use super::tally::Tally;
use crate::pipeline::{Overrides, Pipeline, PipelineErrors};

/// All that is on disk of a run. A run that has ended is had from two small files, whatever happened in it; of one that
/// goes on, was killed, or was one of an earlier version, the events are read.
#[derive(Debug, Clone, Serialize)]
pub struct Past {
    /// Its id.
    pub id: String,
    /// Its directory.
    pub directory: PathBuf,
    /// What was asked for.
    #[serde(flatten)]
    pub asked: Description,
    /// What became of it.
    #[serde(flatten)]
    pub course: Course,
}

impl Past {
    /// Of a run; none if its directory does not say what was run.
    pub fn of(run: &Run) -> Option<Past> {
        let asked = run.description()?;
        // Before the lock is looked at: a run that ends meanwhile is not taken for one that was killed.
        let alive = run.goes_on();
        let course = Course::read(&run.path)
            .unwrap_or_else(|| Tally::of(&read_outline(&run.path)).read(&run.path).course(alive));
        Some(Past { id: run.id(), directory: run.path.clone(), asked, course })
    }

    /// When it began, in seconds since 1970: its id says so.
    pub fn started(&self) -> Option<f64> {
        let said = Utc::parse_rfc3339(&self.asked.started).or_else(|| Utc::parse(&self.id));
        said.map(|since| since.as_secs_f64())
    }

    /// How long it took; none while it goes on.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.course.ended? - self.started()?)
    }

    /// Whether its engine lives.
    pub fn is_running(&self) -> bool {
        self.course.ending == Ending::Running
    }

    /// A node of it.
    pub fn node(&self, name: &str) -> Option<&PastNode> {
        self.course.nodes.iter().find(|node| node.name == name)
    }

    /// The pipeline as it was run: its text and its changes of then. Paths in it are relative to `file`, where it is now or
    /// was; `store` is the directory of the store, which no node may read.
    ///
    /// # Errors
    /// What was no mistake then may be one now: a file that is gone.
    pub fn pipeline(&self, file: &Path, store: &Path) -> Result<Pipeline, PipelineErrors> {
        let params = self.asked.params.is_some().then(|| self.directory.join(PARAMS));
        let overrides = Overrides { set: self.asked.set.clone(), params, store: Some(store.to_owned()) };
        Pipeline::parse(&self.text(), file, &overrides)
    }

    /// The text of the pipeline's file, as it was run.
    pub fn text(&self) -> String {
        let bytes = std::fs::read(self.directory.join(PIPELINE)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A run in which a node had some key, whatever the node and its pipeline are called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Using {
    /// The run.
    pub run: Run,
    /// The name of the node in that run.
    pub node: String,
    /// Whether it was started there; else it was cached.
    pub began: bool,
}

/// The runs in which a node had this key, the newest first: renamed nodes and files are found by it.
pub fn using<'a>(store: &Store, key: &'a Key) -> impl Iterator<Item = Using> + use<'a> {
    newest_first(store).into_iter().filter_map(|run| {
        let (node, began) = run.use_of(key)?;
        Some(Using { run, node, began })
    })
}
