//! `keys.jsonl`: which keys the nodes of a run have.
//!
//! A line is written before a node starts, so that whatever becomes of the engine, what the node makes is known
//! to be of use; another one when it is done. What is cached from the beginning is written in one go.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Key, StoreError};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::write::io_error;

const FILE: &str = "keys.jsonl";

/// A node of a run, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The node's name.
    pub node: String,
    /// Its key.
    pub key: Key,
    /// Whether the key had a record: it was cached, or has run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

/// The file, open. As long as it is, the run is known to go on.
#[derive(Debug)]
pub struct KeyLog {
    path: PathBuf,
    file: File,
    /// Whether a line was cut off by an error.
    torn: bool,
}

impl KeyLog {
    pub(super) fn create(run: &Path) -> Result<KeyLog, StoreError> {
        let path = run.join(FILE);
        let file = File::options().create_new(true).append(true).open(&path).map_err(io_error("write", &path))?;
        // Only to be seen by `goes_on`: where there are no locks, nobody asks.
        let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(KeyLog { path, file, torn: false })
    }

    /// Adds a line for each, all as one write: who is killed in it has at most cut off the last line.
    pub fn note(&mut self, uses: &[Use]) -> Result<(), StoreError> {
        let mut text = if self.torn { vec![b'\n'] } else { Vec::new() };
        for used in uses {
            serde_json::to_writer(&mut text, used).expect("a name and a key are plain JSON");
            text.push(b'\n');
        }
        let written = self.file.write_all(&text);
        self.torn = written.is_err();
        written.map_err(io_error("write", &self.path))
    }
}

/// Lines, and digests of whole files, that were read from newer runs of a pipeline: an older one that says the same adds nothing.
pub(crate) type Seen = HashSet<Vec<u8>>;

/// The lines of a run that were not seen before, in their order; what is none (a cut off one) is passed over. Of a
/// run of `pipeline` that an earlier version made, what its `labels.json` says.
pub(super) fn read(run: &Path, pipeline: &str, seen: &mut Seen) -> Vec<Use> {
    let Ok(bytes) = fs::read(run.join(FILE)) else { return labels(run, pipeline) };
    // A run in which all was cached says what the one before it said: of thousands of these no line is looked at.
    if !seen.insert(Digest::of(&bytes).to_string().into_bytes()) {
        return Vec::new();
    }
    let mut uses = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if !seen.contains(line) {
            seen.insert(line.to_vec());
            uses.extend(serde_json::from_slice::<Use>(line).ok());
        }
    }
    uses
}

/// The node that had this key, and whether it was started with it: who is only done was cached.
pub(super) fn find(run: &Path, key: &Key) -> Option<(String, bool)> {
    let bytes = fs::read(run.join(FILE)).ok()?;
    let hex = key.to_string();
    memchr::memmem::find(&bytes, hex.as_bytes())?;
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Use>(line).ok());
    let uses: Vec<Use> = lines.filter(|used| used.key == *key).collect();
    let began = uses.iter().find(|used| !used.done);
    Some((began.or(uses.first())?.node.clone(), began.is_some()))
}

/// `{"pipeline/node": "key"}`, of nodes that were done.
fn labels(run: &Path, pipeline: &str) -> Vec<Use> {
    let bytes = fs::read(run.join("labels.json")).unwrap_or_default();
    let labels: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap_or_default();
    let used = |(label, key): (String, String)| {
        let node = label.strip_prefix(pipeline)?.strip_prefix('/')?.to_owned();
        Some(Use { node, key: key.parse().ok()?, done: true })
    };
    labels.into_iter().filter_map(used).collect()
}

/// Whether the engine of a run has its file open.
pub(super) fn is_open(run: &Path) -> io::Result<bool> {
    let file = File::open(run.join(FILE))?;
    Ok(flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(node: &str, done: bool) -> Use {
        Use { node: node.to_owned(), key: Key::derive(node.as_bytes()), done }
    }

    fn read_all(run: &Path) -> Vec<Use> {
        read(run, "p", &mut Seen::new())
    }

    #[test]
    fn what_is_noted_is_read_back_without_what_was_cut_off() {
        let run = tempfile::tempdir().unwrap();
        let mut log = KeyLog::create(run.path()).unwrap();
        let cached = [used("a", true), used("b/c \"d\"", true)];
        log.note(&cached).unwrap();
        log.note(&[used("e", false)]).unwrap();
        let text = fs::read_to_string(run.path().join(FILE)).unwrap();
        fs::write(run.path().join(FILE), &text[..text.len() - 20]).unwrap();
        assert_eq!(read_all(run.path()), cached);
        let mut seen = Seen::new();
        read(run.path(), "p", &mut seen);
        assert_eq!(read(run.path(), "p", &mut seen), [], "an older run that says the same");
    }

    #[test]
    fn who_had_a_key_is_found_by_it() {
        let run = tempfile::tempdir().unwrap();
        let mut log = KeyLog::create(run.path()).unwrap();
        log.note(&[used("a", true), used("b", false), used("b", true)]).unwrap();
        let found = |node: &str| find(run.path(), &used(node, true).key);
        assert_eq!(found("a"), Some(("a".to_owned(), false)));
        assert_eq!(found("b"), Some(("b".to_owned(), true)));
        assert_eq!(found("c"), None);
    }

    #[test]
    fn a_line_after_a_torn_one_is_whole() {
        let run = tempfile::tempdir().unwrap();
        let mut log = KeyLog::create(run.path()).unwrap();
        log.file.write_all(b"{\"node\":\"a\",\"ke").unwrap();
        log.torn = true;
        log.note(&[used("b", true)]).unwrap();
        assert_eq!(read_all(run.path()), [used("b", true)]);
    }

    #[test]
    fn a_run_of_an_earlier_version_has_labels() {
        let run = tempfile::tempdir().unwrap();
        let labels = BTreeMap::from([("a/b/c".to_owned(), used("b/c", true).key)]);
        fs::write(run.path().join("labels.json"), serde_json::to_vec(&labels).unwrap()).unwrap();
        let read = |pipeline| read(run.path(), pipeline, &mut Seen::new());
        assert_eq!((read("a"), read("other")), (vec![used("b/c", true)], vec![]));
    }

    #[test]
    fn a_run_goes_on_as_long_as_its_file_is_open() {
        let run = tempfile::tempdir().unwrap();
        let log = KeyLog::create(run.path()).unwrap();
        assert!(is_open(run.path()).unwrap());
        drop(log);
        assert!(!is_open(run.path()).unwrap());
    }
}
