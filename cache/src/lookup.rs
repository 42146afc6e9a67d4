//! Finding what a key produced.

use std::fs::File;

use crate::digest::{Digest, Key};
use crate::error::{Result, StoreError};
use crate::files;
use crate::record::Record;
use crate::store::Store;
use crate::tree::Tree;

impl Store {
    /// What `key` produced, if all of it is still there: a record whose manifest is intact and whose
    /// objects have the right size and the fixed mtime. An object that differs in these is hashed:
    /// if only its stamps changed they are restored, otherwise it is set aside and this is a miss.
    pub fn lookup(&self, key: &Key) -> Result<Option<Record>> {
        let Some((record, objects)) = self.find(key)? else { return Ok(None) };
        for (digest, size) in objects {
            if !self.holds(&digest, size)? {
                return Ok(None);
            }
        }
        Ok(Some(record))
    }

    /// The record of `key`, whatever became of its artifact.
    pub fn record(&self, key: &Key) -> Result<Option<Record>> {
        let bytes = files::read_plain(&self.record_path(key))?;
        Ok(bytes.and_then(|bytes| Record::decode(key, &bytes)))
    }

    /// The bytes `key` was derived from, if they were kept and still derive it.
    pub fn preimage(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let bytes = files::read_plain(&self.preimage_path(key))?;
        Ok(bytes.filter(|bytes| Key::derive(bytes) == *key))
    }

    /// The manifest of an artifact.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] if it is missing or altered.
    pub fn tree(&self, artifact: &Digest) -> Result<Tree> {
        let damaged = || StoreError::Damaged { artifact: *artifact, path: String::new() };
        self.find_tree(artifact)?.ok_or_else(damaged)
    }

    pub(crate) fn find_tree(&self, artifact: &Digest) -> Result<Option<Tree>> {
        let bytes = files::read_plain(&self.tree_path(artifact))?;
        Ok(bytes.and_then(|bytes| Tree::decode(artifact, &bytes)))
    }

    /// The content of one file of an artifact, verified.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] (the object is set aside), [`crate::StoreError::NoSuchFile`].
    pub fn read(&self, artifact: &Digest, path: &str) -> Result<Vec<u8>> {
        let tree = self.tree(artifact)?;
        let missing = || StoreError::NoSuchFile { artifact: *artifact, path: path.to_owned() };
        let entry = tree.get(path).ok_or_else(missing)?;
        let object = self.object_path(&entry.digest);
        match files::read_plain(&object)? {
            Some(bytes) if Digest::of(&bytes) == entry.digest => return Ok(bytes),
            Some(_) => self.set_aside(&object),
            None => {}
        }
        Err(StoreError::Damaged { artifact: *artifact, path: path.to_owned() })
    }

    /// One file of an artifact, open: for what is too large to be read whole. It is judged as by [`Store::lookup`].
    ///
    /// # Errors
    /// As for [`Store::read`].
    pub fn open_file(&self, artifact: &Digest, path: &str) -> Result<File> {
        let tree = self.tree(artifact)?;
        let missing = || StoreError::NoSuchFile { artifact: *artifact, path: path.to_owned() };
        let entry = tree.get(path).ok_or_else(missing)?;
        let object = self.object_path(&entry.digest);
        if !self.holds(&entry.digest, entry.size)? {
            return Err(StoreError::Damaged { artifact: *artifact, path: path.to_owned() });
        }
        files::open(&object).map_err(StoreError::io("read", &object))
    }
}
