//! Taking a finished directory into the store.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempPath;

use crate::digest::Key;
use crate::durable::in_parallel;
use crate::error::{Result, StoreError};
use crate::files;
use crate::filing::{Is, Move, New, Unfiled};
use crate::record::Record;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use crate::walk::{self, Found};

impl Store {
    /// Files the content of `dir` (best a [`Store::staging`] directory, whose files are moved, not
    /// copied) as the artifact of `key`. The record is written last, so that a crash leaves no half
    /// artifact. The first writer wins: where a valid record is already there, that one is returned
    /// and nothing changes. Otherwise `dir` is used up. After a failure all of it is in its place again, so that the same
    /// can be published later.
    ///
    /// Plain files and directories only; the owner's exec bit is kept, and empty directories are.
    ///
    /// # Errors
    /// A symbolic link, socket, fifo, device or name that is not UTF-8, named; a preimage of another
    /// key; whatever the file system refuses.
    pub fn publish(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Record> {
        self.publish_one(self.unfiled(key, preimage, dir, meta)?)
    }

    /// As [`Store::publish`], but the last writer wins: what the key had produced before gives way in the
    /// moment in which the new record is there.
    pub fn publish_anew(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Record> {
        self.publish_one(self.unfiled_anew(key, preimage, dir, meta)?)
    }

    fn publish_one(&self, one: Unfiled) -> Result<Record> {
        self.publish_all(vec![one]).remove(0)
    }

    /// The first part of [`Store::publish`]: all that can be done for one artifact without waiting for the disk. The rest is
    /// done for many at once by [`Store::publish_all`], until which `dir` stays.
    pub fn unfiled(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Unfiled> {
        check_preimage(key, preimage)?;
        match self.lookup(key)? {
            Some(first) => Ok(Unfiled(Is::There(first))),
            None => self.take(key, preimage, dir, meta, false),
        }
    }

    /// The first part of [`Store::publish_anew`].
    pub fn unfiled_anew(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Unfiled> {
        check_preimage(key, preimage)?;
        self.take(key, preimage, dir, meta, true)
    }

    fn take(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value, over: bool) -> Result<Unfiled> {
        self.inner.disk.open(self.root());
        let (tree, mut moves) = self.take_in(dir)?;
        let artifact = tree.digest();
        moves.extend(self.write(self.tree_path(&artifact), &tree.encode())?);
        moves.extend(self.write(self.preimage_path(key), preimage)?);
        let files = tree.entries().len() as u64;
        let record = Record { key: *key, artifact, bytes: tree.bytes(), files, meta: meta.into() };
        let last = files::temp_file(&self.tmp(), &record.encode())?.into_temp_path();
        if let Err(error) = moves.iter().try_for_each(|m| files::seal(&m.from)) {
            moves.iter().for_each(Move::give_back);
            return Err(error);
        }
        Ok(Unfiled(Is::New(Box::new(New { record, moves, last, over }))))
    }

    /// Digests the directory's files and says which of them are new objects.
    fn take_in(&self, dir: &Path) -> Result<(Tree, Vec<Move>)> {
        let is_ours = dir.starts_with(self.root()) && fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir());
        let dir =
            if is_ours { Ok(dir.to_owned()) } else { fs::canonicalize(dir) }.map_err(StoreError::io("read", dir))?;
        let walked = walk::staged(&dir)?;
        let taken = in_parallel(&walked.files, |found| self.take_file(found))?;
        let (entries, moves): (_, Vec<_>) = taken.into_iter().unzip();
        Ok((Tree::new(entries).with_empty(walked.empty), moves.into_iter().flatten().collect()))
    }

    fn take_file(&self, found: &Found) -> Result<(Entry, Option<Move>)> {
        let (digest, size) = files::hash(&found.path).map_err(StoreError::io("read", &found.path))?;
        let mut entry = Entry { path: found.rel.clone(), exec: found.exec(), size, digest };
        // What is there already may be altered: it is believed only after hashing.
        if self.holds_content(&digest)? {
            return Ok((entry, None));
        }
        let copy = if self.may_move(found) { None } else { Some(self.copy_in(&found.path)?) };
        let from = copy.as_deref().unwrap_or(&found.path).to_owned();
        if copy.is_some() {
            // Whoever else has that file may have changed it since.
            (entry.digest, entry.size) = files::hash(&from).map_err(StoreError::io("read", &from))?;
        }
        let to = self.object_path(&entry.digest);
        let exec = entry.exec;
        Ok((entry, Some(Move { from, to, copy, exec })))
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

    /// A file whose content follows from its name, unless it is there already.
    fn write(&self, to: PathBuf, bytes: &[u8]) -> Result<Option<Move>> {
        match files::read_plain(&to)? {
            Some(there) if there == bytes => return Ok(None),
            _ if files::stat(&to)?.is_some() => self.set_aside(&to),
            _ => {}
        }
        let copy = files::temp_file(&self.tmp(), bytes)?.into_temp_path();
        Ok(Some(Move { from: copy.to_path_buf(), to, copy: Some(copy), exec: false }))
    }
}

fn check_preimage(key: &Key, preimage: &[u8]) -> Result<()> {
    let derived = Key::derive(preimage);
    if derived == *key { Ok(()) } else { Err(StoreError::WrongPreimage { key: *key, derived }) }
}
