//! What the store remembers of a destination of exports: what it put there, and for whom.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Result;
use crate::files;
use crate::store::Store;

/// One note for each destination.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    dest: PathBuf,
    /// Sorted. Of one path there may be more than one: what was there and what was to come, if an export was cut off.
    files: Vec<Put>,
}

/// Something that an export put into a destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Put {
    /// Relative, with `/` between names.
    pub(crate) path: String,
    /// Of a file's content; none of a directory.
    pub(crate) digest: Option<Digest>,
    /// Of a file, in bytes.
    pub(crate) size: u64,
    /// For whom, as the exporter said; "" where an earlier program did not note it.
    #[serde(default)]
    pub(crate) by: String,
}

impl Ledger {
    /// Everything that was put there.
    pub(crate) fn files(&self) -> &[Put] {
        &self.files
    }

    /// Everything that was put at a path.
    pub(crate) fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Put> {
        let from = self.files.partition_point(|put| put.path.as_str() < path);
        self.files[from..].iter().take_while(move |put| put.path == path)
    }

    /// Adds what it does not have.
    pub(crate) fn add(&mut self, puts: Vec<Put>) {
        self.files.extend(puts);
        self.files.sort();
        self.files.dedup();
    }

    pub(crate) fn retain(&mut self, stays: impl Fn(&Put) -> bool) {
        self.files.retain(stays);
    }
}

impl Store {
    /// Nothing is known of a destination whose note is damaged.
    pub(crate) fn read_ledger(&self, dest: &Path) -> Result<Ledger> {
        let bytes = files::read_plain(&self.ledger_path(dest))?;
        let ledger = bytes.and_then(|bytes| serde_json::from_slice::<Ledger>(&bytes).ok());
        let known = ledger.filter(|ledger| ledger.dest == dest).map(|ledger| ledger.files).unwrap_or_default();
        let mut ledger = Ledger { dest: dest.to_owned(), files: Vec::new() };
        ledger.add(known);
        Ok(ledger)
    }

    pub(crate) fn write_ledger(&self, ledger: &Ledger) -> Result<()> {
        // Without a note the next export to the same place may ask for `force`: no reason to refuse this
        // one, be it for a path that is not UTF-8 or a store that one may only read.
        let Ok(bytes) = serde_json::to_vec_pretty(ledger) else { return Ok(()) };
        match files::write_atomic(&self.tmp(), &self.ledger_path(&ledger.dest), &bytes) {
            Err(error) if error.is_forbidden() => Ok(()),
            written => written,
        }
    }

    fn ledger_path(&self, dest: &Path) -> PathBuf {
        let name = Digest::of(dest.as_os_str().as_encoded_bytes());
        self.root().join("exports").join(format!("{name}.json"))
    }
}

/// Whether the destination that this note is about is still there.
pub(crate) fn is_current(path: &Path) -> Result<bool> {
    Ok(read(path)?.is_some_and(|ledger| ledger.dest.is_dir()))
}

/// Whether this is a note on the destination that its name stands for.
pub(crate) fn is_whole(path: &Path) -> Result<bool> {
    let name = |ledger: Ledger| format!("{}.json", Digest::of(ledger.dest.as_os_str().as_encoded_bytes()));
    Ok(read(path)?.is_some_and(|ledger| path.file_name().is_some_and(|found| *found == *name(ledger))))
}

fn read(path: &Path) -> Result<Option<Ledger>> {
    let bytes = files::read_plain(path)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).ok())
}
