//! Garbage collection.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::digest::Key;
use crate::error::Result;
use crate::store::Store;

/// What garbage collection keeps. With the default, nothing but `keep` (which is empty).
#[derive(Debug, Clone)]
pub struct GcPolicy {
    /// Records that are kept in any case.
    pub keep: BTreeSet<Key>,
    /// Also keep what was used within this time.
    pub keep_newer_than: Option<Duration>,
    /// Of what is not in `keep`, retain the most recently used that fits into so many bytes of
    /// artifacts (together with `keep`). Without `keep_newer_than` this alone decides.
    pub max_bytes: Option<u64>,
    /// Left-overs that may still be of use (checkpoints of unfinished keys, what was set aside) go
    /// when they are older than this.
    pub leftovers_older_than: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

impl Default for GcPolicy {
    fn default() -> Self {
        GcPolicy {
            keep: BTreeSet::new(),
            keep_newer_than: None,
            max_bytes: None,
            leftovers_older_than: Duration::from_secs(14 * 24 * 3600),
            dry_run: false,
        }
    }
}

/// What garbage collection removed, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Keys whose records went.
    pub records: Vec<Key>,
    /// Records that stay.
    pub kept: u64,
    /// Objects that no record needs.
    pub objects: u64,
    /// Manifests that no record needs.
    pub trees: u64,
    /// Preimages without a record.
    pub preimages: u64,
    /// Staging, checkpoints, what was set aside, lock files: entries of these directories.
    pub leftovers: u64,
    /// The bytes of all of it.
    pub bytes: u64,
}

impl Store {
    /// Removes records that `policy` does not keep, then everything no record needs. Killed at any
    /// point it leaves a correct store. `runs/` is the caller's.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while a run holds the store.
    pub fn gc(&self, policy: &GcPolicy) -> Result<GcReport> {
        let _ = policy;
        todo!()
    }
}
