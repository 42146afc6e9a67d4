//! The directory in which one attempt at a node happens.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Key, Linked, Reader, Record, Snapshot, SourceDigest, Staging, Store, StoreError, remove_tree};
use hyper_flow_spec::Kind;

use super::error::NodeError;
use super::log::{file_name, io_error};
use crate::pipeline::Node;

/// What a `Command` reads is copied for it up to this size where the file system cannot share blocks: that is some tenths of a
/// second. A copy of 1 GB for each run of a node would take several seconds (measured), and more than the program, often.
const COPIED: u64 = 64 << 20;

/// One attempt at a node. The directory is gone when it is dropped.
///
/// | path | what |
/// |---|---|
/// | `in/<port>/` | an input's artifact, read-only |
/// | `files/<port>/` | of a `Command`: a copy of a file or folder outside, under its own name |
/// | `out/` | becomes the artifact |
/// | `work/` | where the process starts, empty; discarded |
/// | `job.json` | what a worker is told |
#[derive(Debug)]
pub(super) struct Job {
    staging: Staging,
    inputs: BTreeMap<String, Linked>,
    /// What the process is told to read of what lies outside, by port.
    files: BTreeMap<String, PathBuf>,
    /// What of this is no copy, and what it looked like before.
    outside: Vec<(PathBuf, SourceDigest)>,
}

impl Job {
    /// Makes the directory, links the inputs into it, and sees to it that the node's files are what its key was made of.
    pub(super) fn prepare(
        store: &Store,
        key: &Key,
        node: &Node,
        artifacts: &BTreeMap<String, Record>,
        sources: &BTreeMap<PathBuf, SourceDigest>,
    ) -> Result<Job, NodeError> {
        let (files, outside) = (BTreeMap::new(), Vec::new());
        let mut job = Job { staging: store.staging_for(key)?, inputs: BTreeMap::new(), files, outside };
        for path in [job.out(), job.work()] {
            fs::create_dir(&path).map_err(io_error("create", &path))?;
        }
        for (port, path) in &node.files {
            job.add_file(store, node, port, path, &sources[path])?;
        }
        for (port, record) in artifacts {
            job.link_input(store, node, port, record)?;
        }
        Ok(job)
    }

    fn link_input(&mut self, store: &Store, node: &Node, port: &str, record: &Record) -> Result<(), NodeError> {
        let reader = if is_command(node) { Reader::Any { limit: COPIED } } else { Reader::Known };
        let path = self.staging.path().join("in").join(file_name(port));
        let linked = match store.link_into(&record.artifact, &path, reader) {
            Err(StoreError::Damaged { artifact, .. }) => return Err(NodeError::Damaged(artifact)),
            linked => linked?,
        };
        self.inputs.insert(port.to_owned(), linked);
        Ok(())
    }

    /// A `Command` gets a copy, so that edits during its run neither reach nor spoil it. Workers, which read data sets and
    /// models once, and what is too large to copy, are given the file itself, which is looked at again afterwards.
    fn add_file(
        &mut self,
        store: &Store,
        node: &Node,
        port: &str,
        path: &Path,
        source: &SourceDigest,
    ) -> Result<(), NodeError> {
        let changed = || NodeError::SourceChanged { path: path.to_owned(), when: "since the run was planned" };
        // What could be read when it was planned, and cannot now, is changed too.
        let unreadable = |error: StoreError| match &error {
            StoreError::Io { path: at, .. } if at.starts_with(path) => changed(),
            _ => error.into(),
        };
        let name = path.file_name().unwrap_or(OsStr::new("files"));
        let copy = self.staging.path().join("files").join(file_name(port)).join(name);
        let taken = if is_command(node) { store.snapshot(path, source, &copy, COPIED) } else { Ok(Snapshot::TooLarge) };
        let place = match taken.map_err(unreadable)? {
            Snapshot::Taken => copy,
            Snapshot::Changed => return Err(changed()),
            Snapshot::TooLarge => {
                let now = store.digest_again(path, source).map_err(unreadable)?.ok_or_else(changed)?;
                self.outside.push((path.to_owned(), now));
                path.to_owned()
            }
        };
        self.files.insert(port.to_owned(), place);
        Ok(())
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
        self.inputs.iter().map(|(port, linked)| (port.as_str(), linked.path()))
    }

    /// Where the process reads what lies outside of the store, by port.
    pub(super) fn files(&self) -> &BTreeMap<String, PathBuf> {
        &self.files
    }

    /// Looks at the inputs again: mode 0444 does not stop root, and a hard link is the object itself.
    /// What was altered is set aside by the store.
    pub(super) fn check_inputs(&self, store: &Store) -> Result<(), NodeError> {
        for (port, linked) in &self.inputs {
            let altered = match store.check_linked(linked) {
                Err(StoreError::Damaged { artifact, .. }) => return Err(NodeError::Damaged(artifact)),
                checked => checked?,
            };
            if !altered.is_empty() {
                return Err(NodeError::InputAltered { port: port.clone(), files: listed(&altered) });
            }
        }
        Ok(())
    }

    /// That nobody touched what the process may have read outside of the store.
    pub(super) fn check_files(&self, store: &Store) -> Result<(), NodeError> {
        for (path, before) in &self.outside {
            // A file that cannot be looked at any more is a changed one.
            if !store.untouched(path, before).unwrap_or(false) {
                return Err(NodeError::SourceChanged { path: path.clone(), when: "while the node ran" });
            }
        }
        Ok(())
    }

    /// Removes all but the output: what the process left behind must not take the room that its artifact needs. What cannot
    /// be removed now goes with the directory.
    pub(super) fn discard_all_but_output(&self) {
        for name in ["in", "files", "work"] {
            let _ = remove_tree(&self.staging.path().join(name));
        }
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

fn is_command(node: &Node) -> bool {
    matches!(node.kind, Kind::Command(_))
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
