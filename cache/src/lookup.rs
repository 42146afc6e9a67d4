//! Finding what a key produced.

use crate::digest::{Digest, Key};
use crate::error::Result;
use crate::record::Record;
use crate::store::Store;
use crate::tree::Tree;

impl Store {
    /// What `key` produced, if all of it is still there: a record whose manifest is intact and whose
    /// objects have the right size and the fixed mtime. An object that differs in these is hashed:
    /// if only its stamps changed they are restored, otherwise it is set aside and this is a miss.
    pub fn lookup(&self, key: &Key) -> Result<Option<Record>> {
        let _ = key;
        todo!()
    }

    /// The record of `key`, whatever became of its artifact.
    pub fn record(&self, key: &Key) -> Result<Option<Record>> {
        let _ = key;
        todo!()
    }

    /// The bytes `key` was derived from, if they were kept and still derive it.
    pub fn preimage(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let _ = key;
        todo!()
    }

    /// The manifest of an artifact.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] if it is missing or altered.
    pub fn tree(&self, artifact: &Digest) -> Result<Tree> {
        let _ = artifact;
        todo!()
    }

    /// The content of one file of an artifact, verified.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] (the object is set aside), [`crate::StoreError::NoSuchFile`].
    pub fn read(&self, artifact: &Digest, path: &str) -> Result<Vec<u8>> {
        let _ = (artifact, path);
        todo!()
    }
}
