//! A checked pipeline, as the rest of the engine sees it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_flow_spec::{Device, Kind};

use super::finding::{Finding, PipelineErrors};
use super::source::read_text;

/// A pipeline without mistakes: references resolve, artifact types match, there is no cycle, files exist.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The name that it gives itself.
    pub name: String,
    /// The file that it was read from, absolute.
    pub path: PathBuf,
    /// The seed of every node that sets none.
    pub seed: u64,
    /// Whether keys hold the class of the device too (`reproducibility: Exact`).
    pub exact: bool,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Node>,
    /// The nodes that a name with axes of `matrix` in it (`"tcd@{seed}"`) stands for.
    pub swept: BTreeMap<String, Vec<String>>,
    /// What is probably not meant, but no mistake.
    pub warnings: Vec<Finding>,
    /// What it was read from.
    pub written: Written,
}

/// The texts that a pipeline was read from: with them, and its path, it can be had again.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Of the file.
    pub text: Arc<str>,
    /// What `--set` changed.
    pub set: Vec<String>,
    /// The file that `--params` named.
    pub params: Option<WrittenParams>,
}

/// A file of parameters.
#[derive(Debug, Clone)]
pub struct WrittenParams {
    /// Absolute.
    pub path: PathBuf,
    /// What is in it.
    pub text: Arc<str>,
}

/// One step of a pipeline.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it does, with every parameter.
    pub kind: Kind,
    /// How it is run.
    pub settings: Settings,
    /// The names of the nodes whose artifacts it takes, by the path of the port (`student`, `rewards.0.model`).
    pub inputs: BTreeMap<String, String>,
    /// The files and folders it takes from outside the store, absolute, by the path of the port.
    pub files: BTreeMap<String, PathBuf>,
}

/// How a node is run: nothing here but the seed changes what it computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Its own seed; the pipeline's when absent.
    pub seed: Option<u64>,
    /// Where it computes.
    pub device: Device,
    /// Threads it computes with; the machine's cores when absent.
    pub threads: Option<usize>,
    /// Memory that it needs, in bytes.
    pub memory: Option<u64>,
    /// GPUs that it needs.
    pub gpus: Option<u32>,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Steps between samples of a training; 0 draws none.
    pub sample_every: u64,
    /// Seconds between checkpoints of a training.
    pub checkpoint_seconds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: None,
            device: Device::Auto,
            threads: None,
            memory: None,
            gpus: None,
            retries: 0,
            timeout: None,
            sample_every: 0,
            checkpoint_seconds: 60.0,
        }
    }
}

/// What the command line changes in a pipeline file, and what it says that the file must agree with.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--set`: `NODE.FIELD=RON`, `params.NAME=RON`, `settings.NODE.FIELD=RON`, `seed=RON`.
    pub set: Vec<String>,
    /// `--params`: a file that holds a RON map.
    pub params: Option<PathBuf>,
    /// `--store`: the directory of the store. A folder that a node reads cannot hold it.
    pub store: Option<PathBuf>,
}

/// Reads and checks a pipeline file.
///
/// # Errors
/// All mistakes of the file at once, or the first syntax error alone.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Pipeline, PipelineErrors> {
    match read_text(path) {
        Ok(text) => Pipeline::parse(&text, path, overrides),
        Err(error) => Err(PipelineErrors::unreadable(path, error)),
    }
}

impl Pipeline {
    /// Checks the text of a pipeline file; paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    /// As for [`load`].
    pub fn parse(text: &str, path: &Path, overrides: &Overrides) -> Result<Pipeline, PipelineErrors> {
        super::check::check(text, path, overrides)
    }
}
