//! The directory of a new run.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Store, StoreError};
use serde::Serialize;

use super::clock::Utc;
use super::id::new_directory;
use super::keys::KeyLog;
use super::origin::Origin;
use super::write::{io_error, write_json};
use crate::pipeline::Pipeline;

/// A run that has just begun.
#[derive(Debug)]
pub struct Begun {
    /// The name of its directory: sorts in the order of runs.
    pub id: String,
    /// Its directory.
    pub root: PathBuf,
    /// Where the keys of its nodes go.
    pub keys: KeyLog,
}

/// What `run.json` says.
#[derive(Serialize)]
struct Description<'a> {
    run: &'a str,
    started: String,
    name: &'a str,
    #[serde(flatten)]
    origin: Origin,
    targets: &'a [String],
    arguments: Vec<String>,
    version: &'static str,
}

/// Makes the directory of a new run in `runs` (best that of the store), and says in it which pipeline is run.
pub fn begin(runs: &Path, store: &Store, pipeline: &Pipeline, targets: &[String]) -> Result<Begun, StoreError> {
    let (id, root) = new_directory(runs)?;
    let keys = KeyLog::create(&root)?;
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let description = Description {
        run: &id,
        started: Utc::now().rfc3339(),
        name: &pipeline.name,
        origin: Origin::of(&pipeline.path, store),
        targets,
        arguments,
        version: hyper_flow_spec::VERSION,
    };
    let path = root.join("run.json");
    write_json(&path, &description).map_err(io_error("write", &path))?;
    let path = root.join("pipeline.ron");
    let text = fs::read(&pipeline.path).unwrap_or_default();
    fs::write(&path, text).map_err(io_error("write", &path))?;
    Ok(Begun { id, root, keys })
}
