//! Forgetting what a key produced.

use crate::digest::Key;
use crate::error::Result;
use crate::files;
use crate::store::Store;

impl Store {
    /// Removes the record and the checkpoints of a key, so that what it stands for is made anew; the artifact's
    /// bytes stay until garbage collection. Pins are not asked.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while somebody works on the key.
    pub fn forget(&self, key: &Key, who: &str) -> Result<()> {
        let _lock = self.try_lock_key(key, who)?;
        let record = self.record_path(key);
        files::remove_tree(&record)?;
        if files::stat(files::parent(&record))?.is_some() {
            files::sync_dir(files::parent(&record))?;
        }
        self.clear_scratch(key)
    }

    /// Whether there are checkpoints of a key.
    pub fn has_scratch(&self, key: &Key) -> Result<bool> {
        Ok(files::stat(&self.scratch_path(key))?.is_some())
    }
}
