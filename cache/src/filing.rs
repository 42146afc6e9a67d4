//! Making what was taken in durable and visible, for many keys at once.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::{Result, StoreError};
use crate::record::Record;
use crate::store::Store;
use crate::{fault, files};

/// An artifact that is whole, and that nobody sees before [`Store::publish_all`] has made it durable and filed its record. If
/// it is dropped instead, nothing has happened.
#[derive(Debug)]
pub struct Unfiled(pub(crate) Is);

#[derive(Debug)]
pub(crate) enum Is {
    /// The key had a record already, which is the one that counts.
    There(Record),
    New(Box<New>),
}

/// What is to become a record.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) record: Record,
    pub(crate) moves: Vec<Move>,
    /// The file of the record.
    pub(crate) last: TempPath,
    /// Whether a record that is there gives way.
    pub(crate) over: bool,
}

/// A file on its way to its place in the store.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// Removes `from` if it is a copy of ours and never arrives.
    pub(crate) copy: Option<TempPath>,
    /// An executable, which an object is not.
    pub(crate) exec: bool,
}

/// A record that can be read, and is not sure to stay.
struct Visible {
    record: Record,
    moves: Vec<Move>,
    /// Its file, if it was put there just now.
    path: Option<PathBuf>,
    over: bool,
}

impl Store {
    /// Makes all of them durable and then visible, which takes hardly longer than for one. Each has its place in the answer,
    /// and if one of them fails, no other does. After a failure the files of an artifact are where they were.
    pub fn publish_all(&self, batch: Vec<Unfiled>) -> Vec<Result<Record>> {
        let files: Vec<&Path> = batch.iter().flat_map(Unfiled::files).collect();
        match self.sync_files(&files) {
            Ok(()) => self.make_visible(batch),
            // Which of them it is, each tells by itself.
            Err(_) if batch.len() > 1 => batch.into_iter().flat_map(|one| self.publish_all(vec![one])).collect(),
            Err(error) => {
                batch.iter().for_each(Unfiled::give_back);
                vec![Err(error)]
            }
        }
    }

    /// The records' directories are synced last, and no others: journals keep renames in order, so that the earlier ones are on
    /// disk then too, and where they are not, the record is a miss.
    fn make_visible(&self, batch: Vec<Unfiled>) -> Vec<Result<Record>> {
        let seen: Vec<Result<Visible>> = batch.into_iter().map(|one| self.file_one(one)).collect();
        let dirs: BTreeSet<&Path> = seen.iter().flatten().filter_map(Visible::dir).collect();
        let synced = self.sync_dirs(&dirs).is_ok();
        seen.into_iter().map(|one| one?.stays(synced)).collect()
    }

    fn file_one(&self, one: Unfiled) -> Result<Visible> {
        let New { record, moves, last, over } = match one.0 {
            Is::There(record) => return Ok(Visible { record, moves: Vec::new(), path: None, over: false }),
            Is::New(new) => *new,
        };
        let path = self.record_path(&record.key);
        let file =
            |last| if over { self.file_over(&path, last).map(|()| None) } else { self.file(&record, &path, last) };
        match moves.iter().try_for_each(Move::arrive).and_then(|()| file(last)) {
            Ok(None) => Ok(Visible { record, moves, path: Some(path), over }),
            Ok(Some(first)) => Ok(Visible { record: first, moves, path: None, over }),
            Err(error) => {
                moves.iter().for_each(Move::give_back);
                Err(error)
            }
        }
    }

    /// A record that is in the way is either another writer's, who was first, which is then given, or one whose artifact is lost.
    fn file(&self, record: &Record, path: &Path, mut last: TempPath) -> Result<Option<Record>> {
        files::make_dir(files::parent(path))?;
        fault::point("file a record").map_err(StoreError::io("write", path))?;
        while let Err(refused) = last.persist_noclobber(path) {
            if refused.error.kind() != io::ErrorKind::AlreadyExists {
                return Err(StoreError::io("write", path)(refused.error));
            }
            if let Some(first) = self.lookup(&record.key)? {
                return Ok(Some(first));
            }
            self.move_aside(path)?;
            last = refused.path;
        }
        Ok(None)
    }

    fn file_over(&self, path: &Path, last: TempPath) -> Result<()> {
        files::make_dir(files::parent(path))?;
        if files::stat(path)?.is_some_and(|there| !there.is_file()) {
            self.move_aside(path)?;
        }
        last.persist(path).map_err(|refused| StoreError::io("write", path)(refused.error))
    }
}

impl Unfiled {
    /// All that is to be durable before it is seen.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let new = match &self.0 {
            Is::There(_) => None,
            Is::New(new) => Some(new),
        };
        new.into_iter().flat_map(|new| new.moves.iter().map(|m| m.from.as_path()).chain([&*new.last]))
    }

    fn give_back(&self) {
        if let Is::New(new) = &self.0 {
            new.moves.iter().for_each(Move::give_back);
        }
    }
}

impl Visible {
    /// The directory that has its name.
    fn dir(&self) -> Option<&Path> {
        self.path.as_deref().map(files::parent)
    }

    /// The record, once its name is on the disk, with all others' or by itself. One that is not sure to stay must not be seen.
    fn stays(self, synced: bool) -> Result<Record> {
        let Some(path) = self.path.filter(|_| !synced) else { return Ok(self.record) };
        let synced = files::sync_dir(files::parent(&path));
        if synced.is_err() {
            if !self.over {
                let _ = fs::remove_file(&path);
            }
            self.moves.iter().for_each(Move::give_back);
        }
        synced.map(|()| self.record)
    }
}

impl Move {
    fn arrive(&self) -> Result<()> {
        fault::point("rename into place").map_err(StoreError::io("write", &self.to))?;
        let arrived = files::in_dir(files::parent(&self.to), || fs::rename(&self.from, &self.to))?;
        arrived.map_err(StoreError::io("write", &self.to))
    }

    /// Puts the file where it was, as far as that can be. An object that has arrived may be of use to others already, so that
    /// it stays, unless it must be an executable again.
    pub(crate) fn give_back(&self) {
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
