//! The index: what can be lost without loss, kept in sled.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::digest::Key;
use crate::error::Result;
use crate::store::Store;

/// What a rebuild of the index found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Records whose last use (for want of better, their writing) is known again.
    pub records: u64,
    /// Runs whose labels were read.
    pub runs: u64,
    /// Labels known.
    pub labels: u64,
}

impl Store {
    /// Notes that these keys were used now, for garbage collection. One batch a run, not one call a
    /// key; where the index cannot be had nothing is noted and nothing fails.
    pub fn touch<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) {
        let _ = keys.into_iter().count();
        todo!()
    }

    /// When each key was last used: as noted, or else when its record was written.
    pub fn last_used(&self) -> Result<BTreeMap<Key, SystemTime>> {
        todo!()
    }

    /// Makes the index anew from the files.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while another process writes to it.
    pub fn rebuild(&self) -> Result<RebuildReport> {
        todo!()
    }
}
