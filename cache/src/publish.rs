//! Taking a finished directory into the store.

use std::path::Path;

use serde_json::Value;

use crate::digest::Key;
use crate::error::Result;
use crate::record::Record;
use crate::store::Store;

impl Store {
    /// Files the content of `dir` (best a [`Store::staging`] directory, whose files are moved, not
    /// copied) as the artifact of `key`. The record is written last, so that a crash leaves no half
    /// artifact. The first writer wins: where a valid record is already there, that one is returned
    /// and nothing changes.
    ///
    /// Plain files and directories only; the owner's exec bit is kept, empty directories are not.
    ///
    /// # Errors
    /// A symbolic link, socket, fifo, device or name that is not UTF-8, named; a preimage of another
    /// key; whatever the file system refuses.
    pub fn publish(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Record> {
        let _ = (key, preimage, dir, meta);
        todo!()
    }
}
