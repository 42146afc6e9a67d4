//! Taking a finished directory into the store.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempPath;

use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::files;
use crate::record::Record;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use crate::walk::{self, Found};

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
        let derived = Key::derive(preimage);
        if derived != *key {
            return Err(StoreError::WrongPreimage { key: *key, derived });
        }
        if let Some(first) = self.lookup(key)? {
            return Ok(first);
        }
        let tree = self.take_in(dir)?;
        let artifact = tree.digest();
        self.keep_file(&self.tree_path(&artifact), &tree.encode())?;
        self.keep_file(&self.preimage_path(key), preimage)?;
        let files = tree.entries().len() as u64;
        self.file(Record { key: *key, artifact, bytes: tree.bytes(), files, meta })
    }

    /// Makes objects of the directory's files.
    fn take_in(&self, dir: &Path) -> Result<Tree> {
        let dir = fs::canonicalize(dir).map_err(StoreError::io("read", dir))?;
        let found = walk::staged(&dir)?;
        let mut touched = BTreeSet::new();
        let mut entries = Vec::with_capacity(found.len());
        for file in &found {
            entries.push(self.take_file(file, &mut touched)?);
        }
        touched.iter().try_for_each(|dir| files::sync_dir(dir))?;
        Ok(Tree::new(entries))
    }

    fn take_file(&self, found: &Found, touched: &mut BTreeSet<PathBuf>) -> Result<Entry> {
        let copy = if self.may_move(found) { None } else { Some(self.copy_in(&found.path)?) };
        let staged = copy.as_deref().unwrap_or(&found.path);
        let (digest, size) = files::hash_mapped(staged).map_err(StoreError::io("read", staged))?;
        // What is there already may be altered: it is believed only after hashing.
        if !self.holds_content(&digest)? {
            let object = self.object_path(&digest);
            files::seal(staged)?;
            files::make_dir(files::parent(&object))?;
            fs::rename(staged, &object).map_err(StoreError::io("write", &object))?;
            touched.insert(files::parent(&object).to_owned());
        }
        Ok(Entry { path: found.rel.clone(), exec: found.exec(), size, digest })
    }

    /// Whether this file can become the object itself: it is ours, in our file system, and no other
    /// name leads to it, through which it could be changed later.
    fn may_move(&self, found: &Found) -> bool {
        found.path.starts_with(self.root())
            && found.meta.nlink() == 1
            && found.meta.uid() == rustix::process::geteuid().as_raw()
            && fs::metadata(self.root()).is_ok_and(|root| root.dev() == found.meta.dev())
    }

    fn copy_in(&self, path: &Path) -> Result<TempPath> {
        let file = files::temp_file(&self.tmp(), b"")?;
        let copied = File::open(path).and_then(|mut from| io::copy(&mut from, &mut file.as_file()));
        copied.map_err(StoreError::io("copy into the store", path))?;
        Ok(file.into_temp_path())
    }

    /// Writes a file whose content follows from its name, unless it is there already.
    fn keep_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        match files::read_plain(path)? {
            Some(there) if there == bytes => return Ok(()),
            _ if files::stat(path)?.is_some() => self.set_aside(path),
            _ => {}
        }
        files::write_atomic(&self.tmp(), path, bytes)
    }

    /// The last step. A record that is in the way is either another writer's, who was first, or one
    /// whose artifact is lost.
    fn file(&self, record: Record) -> Result<Record> {
        let path = self.record_path(&record.key);
        let dir = files::parent(&path);
        files::make_dir(dir)?;
        let mut file = files::temp_file(&self.tmp(), &record.encode())?;
        while let Err(refused) = file.persist_noclobber(&path) {
            if refused.error.kind() != io::ErrorKind::AlreadyExists {
                return Err(StoreError::io("write", &path)(refused.error));
            }
            if let Some(first) = self.lookup(&record.key)? {
                return Ok(first);
            }
            self.move_aside(&path)?;
            file = refused.file;
        }
        files::sync_dir(dir)?;
        Ok(record)
    }
}
