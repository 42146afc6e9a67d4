//! Labels: names, opaque to the store, for the key they last stood for.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::files;
use crate::index::Index;
use crate::store::Store;

/// What a run's labels file looked like when it was read: a replaced one differs.
pub(crate) type RunStamp = [u8; 32];

/// Labels of all runs that were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    /// Label → the newest run that set it, and the key.
    pub(crate) keys: BTreeMap<String, (String, Key)>,
    pub(crate) runs: BTreeMap<String, RunStamp>,
}

impl Labels {
    /// The newest run wins, in whatever order runs are read.
    pub(crate) fn set(&mut self, label: &str, run: &str, key: Key) {
        let newer = self.keys.get(label).is_none_or(|(known, _)| run >= known.as_str());
        if newer {
            self.keys.insert(label.to_owned(), (run.to_owned(), key));
        }
    }
}

impl Store {
    /// Says which keys this run's labels ("pipeline/node") stand for: `runs/<run>/labels.json`,
    /// replaced as a whole, from which the index is refreshed.
    pub fn set_labels(&self, run: &str, labels: &BTreeMap<String, Key>) -> Result<()> {
        // Of a store that is only read, what was of use is known by those who write to it.
        if self.check_writable().is_err() {
            return Ok(());
        }
        let path = self.labels_path(run);
        let bytes = serde_json::to_vec_pretty(labels).expect("labels and keys are text");
        files::write_atomic(&self.tmp(), &path, &bytes)?;
        self.with_index(0, |index| {
            let known = index.all_labels()?;
            match self.read_labels(known) {
                Ok(all) => index.add_labels(&all),
                // The index then does not have this run, and readers take it from its file.
                Err(error) => {
                    tracing::debug!(%error, "labels not indexed");
                    Ok(())
                }
            }
        });
        Ok(())
    }

    /// All labels with the key that the newest run gave them. Never waits for another process.
    pub fn labels(&self) -> Result<BTreeMap<String, Key>> {
        let indexed = self.read_index(Index::all_labels).unwrap_or_default();
        let all = self.read_labels(indexed)?;
        Ok(all.keys.into_iter().map(|(label, (_, key))| (label, key)).collect())
    }

    /// The key that the newest run gave this label.
    pub fn label(&self, label: &str) -> Result<Option<Key>> {
        Ok(self.labels()?.remove(label))
    }

    /// What is known, and what the files of other runs add to it.
    pub(crate) fn read_labels(&self, mut all: Labels) -> Result<Labels> {
        for run in self.run_names()? {
            let path = self.labels_path(&run);
            let Some(stamp) = stamp_of(&path)? else { continue };
            if all.runs.get(&run) == Some(&stamp) {
                continue;
            }
            for (label, key) in read_file(&path)? {
                all.set(&label, &run, key);
            }
            all.runs.insert(run, stamp);
        }
        Ok(all)
    }

    fn run_names(&self) -> Result<Vec<String>> {
        let runs = self.runs();
        let dir = files::absent_is_none(fs::read_dir(&runs)).map_err(StoreError::io("read", &runs))?;
        let names = dir.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.collect())
    }

    fn labels_path(&self, run: &str) -> PathBuf {
        self.runs().join(run).join("labels.json")
    }
}

fn stamp_of(path: &Path) -> Result<Option<RunStamp>> {
    let Some(meta) = files::stat(path)? else { return Ok(None) };
    let numbers = [meta.ino(), meta.len(), meta.mtime() as u64, meta.mtime_nsec() as u64];
    let mut stamp = RunStamp::default();
    for (bytes, number) in stamp.chunks_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    Ok(Some(stamp))
}

/// A damaged file labels nothing; so does a damaged key in it.
fn read_file(path: &Path) -> Result<BTreeMap<String, Key>> {
    let bytes = files::read_plain(path)?.unwrap_or_default();
    let texts: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(texts.into_iter().filter_map(|(label, key)| Some((label, key.parse().ok()?))).collect())
}
