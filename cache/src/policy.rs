//! What garbage collection is told to keep, and what it says that it removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::digest::Key;

/// What was remembered of sources, and by the caller, is forgotten after this time.
pub(crate) const MEMO_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

/// What garbage collection keeps. With the default, nothing but `keep` (which is empty) and what is pinned
/// or still worked on, which no policy removes.
#[derive(Debug, Clone)]
pub struct GcPolicy {
    /// Records that are kept in any case.
    pub keep: BTreeSet<Key>,
    /// When keys were used, as far as the caller knows of it.
    pub used: BTreeMap<Key, SystemTime>,
    /// Also keep what was used within this time.
    pub keep_newer_than: Option<Duration>,
    /// Of what is not in `keep`, retain the most recently used that fits into so many bytes of
    /// artifacts (together with `keep`). Without `keep_newer_than` this alone decides.
    pub max_bytes: Option<u64>,
    /// Keys whose checkpoints are kept in any case, also beside a record.
    pub keep_checkpoints: BTreeSet<Key>,
    /// Other checkpoints go when they did not change within this time, or beside a record.
    pub checkpoints_older_than: Duration,
    /// What was set aside goes when it is older than this.
    pub leftovers_older_than: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

impl Default for GcPolicy {
    fn default() -> Self {
        GcPolicy {
            keep: BTreeSet::new(),
            used: BTreeMap::new(),
            keep_newer_than: None,
            max_bytes: None,
            keep_checkpoints: BTreeSet::new(),
            checkpoints_older_than: Duration::from_secs(90 * 24 * 3600),
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
    /// Keys whose checkpoints went.
    pub checkpoints: Vec<Key>,
    /// Keys that processes still work on whose engine is gone: all of theirs stays.
    pub busy: Vec<Key>,
    /// Objects that no record needs.
    pub objects: u64,
    /// Manifests that no record needs.
    pub trees: u64,
    /// Preimages without a record.
    pub preimages: u64,
    /// Staging, what was set aside, notes on exports, memos: entries of these directories.
    pub leftovers: u64,
    /// Those of them, and checkpoints, that cannot go because somebody writes to them this moment.
    pub written: u64,
    /// The bytes of all of it.
    pub bytes: u64,
}
