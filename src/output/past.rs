//! Runs of before.

use std::path::PathBuf;

use serde::Serialize;

use crate::runs::{Ending, Past};

/// Runs, the newest first.
#[derive(Debug, Serialize)]
pub struct ListedRuns {
    /// Those that were asked for.
    pub runs: Vec<ListedRun>,
    /// How many older ones there are.
    pub older: usize,
}

/// A run, in a few words.
#[derive(Debug, Serialize)]
pub struct ListedRun {
    /// Its id.
    pub run: String,
    /// The beginning of that which says enough.
    #[serde(skip)]
    pub short: String,
    /// When it began, in seconds since 1970.
    pub started: Option<f64>,
    /// How long it took; none while it goes on.
    pub seconds: Option<f64>,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The pipeline's file, as it was then.
    pub file: PathBuf,
    /// The nodes that were asked for; none for all.
    pub targets: Vec<String>,
    /// What `--set` changed.
    pub set: Vec<String>,
    /// The file that `--params` named.
    pub params: Option<PathBuf>,
    /// How it ended, or that it has not.
    pub ending: Ending,
    /// The node that failed and why, or that was stopped or runs and how far it is.
    pub what: Option<String>,
    /// What it came to.
    pub finals: Vec<Final>,
}

/// A number that a run came to: of a candidate of an `Eval` at each of its step counts, or of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Final {
    /// The node.
    pub node: String,
    /// The candidate, of an `Eval`.
    pub candidate: Option<String>,
    /// The name of the number.
    pub name: String,
    /// The step counts.
    pub steps: Vec<i64>,
    /// The number, at each of them.
    pub values: Vec<f64>,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct ShownRun {
    /// All that is known of it.
    #[serde(flatten)]
    pub past: Past,
    /// How long it took; none while it goes on.
    pub seconds: Option<f64>,
    /// What it came to.
    pub finals: Vec<Final>,
    /// The command that runs the same again.
    pub again: String,
    /// When it began, in seconds since 1970.
    #[serde(rename = "began")]
    pub started: Option<f64>,
}

/// Where runs are.
#[derive(Debug, Serialize)]
pub struct RunPath {
    /// The directory.
    pub path: PathBuf,
}
