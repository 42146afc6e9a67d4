//! The directory of a new run.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Store, StoreError};

use super::clock::Utc;
use super::description::{Description, PARAMS, PIPELINE};
use super::id::new_directory;
use super::keys::KeyLog;
use super::origin::Origin;
use super::write::io_error;
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

/// Makes the directory of a new run in `runs` (best that of the store), and says in it which pipeline is run, with what
/// changes.
pub fn begin(runs: &Path, store: &Store, pipeline: &Pipeline, targets: &[String]) -> Result<Begun, StoreError> {
    let (id, root) = new_directory(runs)?;
    let keys = KeyLog::create(&root)?;
    let written = &pipeline.written;
    let description = Description {
        run: id.clone(),
        started: Utc::now().rfc3339(),
        name: pipeline.name.clone(),
        origin: Origin::of(&pipeline.path, store),
        targets: targets.to_vec(),
        set: written.set.clone(),
        params: written.params.as_ref().map(|params| params.path.clone()),
        arguments: std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect(),
        version: hyper_flow_spec::VERSION.to_owned(),
    };
    description.write(&root)?;
    let params = written.params.as_ref().map(|params| (PARAMS, &params.text));
    for (name, text) in [(PIPELINE, &written.text)].into_iter().chain(params) {
        let path = root.join(name);
        fs::write(&path, text.as_bytes()).map_err(io_error("write", &path))?;
    }
    Ok(Begun { id, root, keys })
}
