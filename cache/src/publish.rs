//! Taking a finished directory into the store.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use tempfile::TempPath;

use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::record::Record;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use crate::walk::{self, Found};
use crate::{fault, files};

/// Files are hashed and synced by so many threads: the file system syncs what comes together at
/// once, so that publishing costs two waits for the disk however many files there are.
const HANDS: usize = 8;

/// A file on its way to its place in the store.
struct Move {
    from: PathBuf,
    to: PathBuf,
    /// Removes `from` if it is a copy of ours and never arrives.
    copy: Option<TempPath>,
    /// An executable, which an object is not.
    exec: bool,
}

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
        check_preimage(key, preimage)?;
        if let Some(first) = self.lookup(key)? {
            return Ok(first);
        }
        self.take(key, preimage, dir, meta, Store::file)
    }

    /// As [`Store::publish`], but the last writer wins: what the key had produced before gives way in the
    /// moment in which the new record is there.
    pub fn publish_anew(&self, key: &Key, preimage: &[u8], dir: &Path, meta: Value) -> Result<Record> {
        check_preimage(key, preimage)?;
        self.take(key, preimage, dir, meta, Store::file_over)
    }

    /// Takes everything in, and then makes the record visible with `file`.
    fn take(
        &self,
        key: &Key,
        preimage: &[u8],
        dir: &Path,
        meta: Value,
        file: impl FnOnce(&Store, Record, TempPath) -> Result<Record>,
    ) -> Result<Record> {
        let (tree, mut moves) = self.take_in(dir)?;
        let artifact = tree.digest();
        moves.extend(self.write(self.tree_path(&artifact), &tree.encode())?);
        moves.extend(self.write(self.preimage_path(key), preimage)?);
        let files = tree.entries().len() as u64;
        let record = Record { key: *key, artifact, bytes: tree.bytes(), files, meta };
        let last = files::temp_file(&self.tmp(), &record.encode())?.into_temp_path();
        let published = self.settle(&moves, &last).and_then(|()| file(self, record, last));
        published.inspect_err(|_| moves.iter().for_each(Move::give_back))
    }

    /// Makes everything durable, and all but the record visible.
    fn settle(&self, moves: &[Move], last: &TempPath) -> Result<()> {
        in_parallel(moves, |m| files::seal(&m.from))?;
        let synced: Vec<&Path> = moves.iter().map(|m| m.from.as_path()).chain([&**last]).collect();
        in_parallel(&synced, |path| files::sync_file(path))?;
        moves.iter().try_for_each(Move::arrive)
    }

    /// Digests the directory's files and says which of them are new objects.
    fn take_in(&self, dir: &Path) -> Result<(Tree, Vec<Move>)> {
        let dir = fs::canonicalize(dir).map_err(StoreError::io("read", dir))?;
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

    /// The last step, and the only one whose directory is synced: journals keep renames in order, so
    /// the earlier ones are on disk then too, and where they are not, the record is a miss. A record
    /// that is in the way is either another writer's, who was first, or one whose artifact is lost.
    fn file(&self, record: Record, mut last: TempPath) -> Result<Record> {
        let path = self.record_path(&record.key);
        files::make_dir(files::parent(&path))?;
        fault::point("file a record").map_err(StoreError::io("write", &path))?;
        while let Err(refused) = last.persist_noclobber(&path) {
            if refused.error.kind() != io::ErrorKind::AlreadyExists {
                return Err(StoreError::io("write", &path)(refused.error));
            }
            if let Some(first) = self.lookup(&record.key)? {
                return Ok(first);
            }
            self.move_aside(&path)?;
            last = refused.path;
        }
        // A record that is not sure to stay must not be seen.
        files::sync_dir(files::parent(&path)).inspect_err(|_| drop(fs::remove_file(&path)))?;
        Ok(record)
    }

    /// The last step of publishing anew.
    fn file_over(&self, record: Record, last: TempPath) -> Result<Record> {
        let path = self.record_path(&record.key);
        files::make_dir(files::parent(&path))?;
        if files::stat(&path)?.is_some_and(|there| !there.is_file()) {
            self.move_aside(&path)?;
        }
        last.persist(&path).map_err(|refused| StoreError::io("write", &path)(refused.error))?;
        files::sync_dir(files::parent(&path))?;
        Ok(record)
    }
}

fn check_preimage(key: &Key, preimage: &[u8]) -> Result<()> {
    let derived = Key::derive(preimage);
    if derived == *key { Ok(()) } else { Err(StoreError::WrongPreimage { key: *key, derived }) }
}

impl Move {
    fn arrive(&self) -> Result<()> {
        files::make_dir(files::parent(&self.to))?;
        let arrived = fault::point("rename into place").and_then(|()| fs::rename(&self.from, &self.to));
        arrived.map_err(StoreError::io("write", &self.to))
    }

    /// Puts the file where it was, as far as that can be. An object that has arrived may be of use to others already, so that
    /// it stays, unless it must be an executable again.
    fn give_back(&self) {
        if self.copy.is_some() {
            return;
        }
        let linked = !self.exec && fs::hard_link(&self.to, &self.from).is_ok();
        let there = linked || self.from.exists() || fs::rename(&self.to, &self.from).is_ok();
        if there && self.exec {
            let _ = fs::set_permissions(&self.from, Permissions::from_mode(0o755));
        }
    }
}

/// Does the same to all of them, and gives the results in their order.
fn in_parallel<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let part = all.len().div_ceil(HANDS).max(1);
    let some = |part: &[T]| part.iter().map(&work).collect::<Result<Vec<R>>>();
    let done: Vec<_> = thread::scope(|scope| {
        let hands: Vec<_> = all.chunks(part).map(|part| scope.spawn(|| some(part))).collect();
        hands.into_iter().map(|hand| hand.join().unwrap_or_else(|p| resume_unwind(p))).collect()
    });
    let done = done.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(done.into_iter().flatten().collect())
}
