//! The directory in which one attempt at a node happens.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Record, Staging, Store, StoreError};

use super::error::NodeError;
use super::log::{file_name, io_error};

/// One attempt at a node. The directory is gone when it is dropped.
///
/// | path | what |
/// |---|---|
/// | `in/<port>/` | an input's artifact, read-only |
/// | `out/` | becomes the artifact |
/// | `work/` | where the process starts, empty; discarded |
/// | `job.json` | what a worker is told |
#[derive(Debug)]
pub(super) struct Job {
    staging: Staging,
    inputs: BTreeMap<String, (Digest, PathBuf)>,
}

impl Job {
    /// Makes the directory and links the inputs into it.
    pub(super) fn prepare(store: &Store, artifacts: &BTreeMap<String, Record>) -> Result<Job, NodeError> {
        let staging = store.staging()?;
        let mut inputs = BTreeMap::new();
        for (port, record) in artifacts {
            let path = staging.path().join("in").join(file_name(port));
            match store.link_into(&record.artifact, &path) {
                Err(StoreError::Damaged { artifact, .. }) => return Err(NodeError::Damaged(artifact)),
                linked => linked?,
            }
            inputs.insert(port.clone(), (record.artifact, path));
        }
        let job = Job { staging, inputs };
        for path in [job.out(), job.work()] {
            fs::create_dir(&path).map_err(io_error("create", &path))?;
        }
        Ok(job)
    }

    /// The directory that becomes the artifact.
    pub(super) fn out(&self) -> PathBuf {
        self.staging.path().join("out")
    }

    /// Where the process starts.
    pub(super) fn work(&self) -> PathBuf {
        self.staging.path().join("work")
    }

    /// What a worker reads.
    pub(super) fn file(&self) -> PathBuf {
        self.staging.path().join("job.json")
    }

    /// The directories of the inputs, by port.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.inputs.iter().map(|(port, (_, path))| (port.as_str(), path.as_path()))
    }

    /// Looks at the inputs again: mode 0444 does not stop root, and a hard link is the object itself.
    /// What was altered is set aside by the store.
    pub(super) fn check_inputs(&self, store: &Store) -> Result<(), NodeError> {
        for (port, (artifact, path)) in &self.inputs {
            let altered = match store.check_linked(artifact, path) {
                Err(StoreError::Damaged { artifact, .. }) => return Err(NodeError::Damaged(artifact)),
                checked => checked?,
            };
            if !altered.is_empty() {
                return Err(NodeError::InputAltered { port: port.clone(), files: listed(&altered) });
            }
        }
        Ok(())
    }

    /// What the process left in its directory, outside of the output; at most a few names.
    pub(super) fn left_over(&self) -> Option<String> {
        let entries = fs::read_dir(self.work()).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        (!names.is_empty()).then(|| listed(&names))
    }

    /// Whether there is any file in the output.
    pub(super) fn output_state(&self) -> io::Result<Output> {
        let out = self.out();
        match fs::symlink_metadata(&out) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Ok(Output::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Output::Replaced),
            Err(error) => return Err(error),
        }
        let mut open = vec![out];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => open.push(entry.path()),
                    false => return Ok(Output::There),
                }
            }
        }
        Ok(Output::Nothing)
    }
}

/// What became of the output directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Something is in it.
    There,
    /// No file is in it.
    Nothing,
    /// It is no directory any more.
    Replaced,
}

/// The first few of many names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let first = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
