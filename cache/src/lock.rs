//! The operating system's locks, freed at death.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::areas;
use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::{fault, files};

/// One process (and one holder in it) at a time for one key; released on drop.
#[derive(Debug)]
pub struct KeyLock {
    path: PathBuf,
    file: File,
}

impl KeyLock {
    /// A descriptor that is inherited by the processes started while it is there. If this process is killed,
    /// the lock stays with them, until the last of them has ended. It is not closed at exec, so that it is to
    /// be dropped as soon as the process is started.
    pub fn inherited(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::dup(&self.file)?)
    }

    /// What others are told from now on.
    pub fn tell(&self, who: &str) -> Result<()> {
        tell(&self.file, who).map_err(StoreError::io("write", &self.path))
    }
}

impl Drop for KeyLock {
    /// The name goes first, so that nobody locks a file without one. Closing would not do: a process that
    /// inherited the lock, and escaped those who end it, still has it.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "lock file stays");
        }
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// A file that is locked until this is dropped. Closing would not do: a process that is started at this moment has the file, too,
/// until it is another program.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// The whole store, shared or exclusive; released on drop.
#[derive(Debug)]
pub struct StoreLock {
    /// None where one may not write, nor read a lock that another user made.
    _file: Option<Locked>,
    /// False where that is so, and on a file system without locks.
    pub(crate) works: bool,
}

/// What came of asking the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Granted,
    Busy,
    /// The file system has no locks.
    Unsupported,
}

impl Store {
    /// Takes the key's lock, waiting for whoever has it. `who` ("run 2026…, pid …") is what others
    /// are told meanwhile.
    ///
    /// On a file system without working locks it is granted at once: the store stays correct, two
    /// runs may only make the same artifact twice.
    pub fn lock_key(&self, key: &Key, who: &str) -> Result<KeyLock> {
        self.take_key(key, who, FlockOperation::LockExclusive)
    }

    /// Takes the key's lock if it is free.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`], naming the holder, if it is not.
    pub fn try_lock_key(&self, key: &Key, who: &str) -> Result<KeyLock> {
        self.take_key(key, who, FlockOperation::NonBlockingLockExclusive)
    }

    /// For the time of a run: keeps garbage collection away. Waits while one is going on.
    pub fn lock_shared(&self) -> Result<StoreLock> {
        self.take_store(FlockOperation::LockShared)
    }

    /// As [`Store::lock_shared`], but [`crate::StoreError::Busy`] instead of waiting.
    pub fn try_lock_shared(&self) -> Result<StoreLock> {
        self.take_store(FlockOperation::NonBlockingLockShared)
    }

    /// For garbage collection ([`Store::gc`] takes it itself).
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while a run goes on.
    pub fn try_lock_exclusive(&self) -> Result<StoreLock> {
        self.take_store(FlockOperation::NonBlockingLockExclusive)
    }

    fn take_key(&self, key: &Key, who: &str, how: FlockOperation) -> Result<KeyLock> {
        let path = self.key_lock_path(key);
        loop {
            let file = self.open_lock(&path)?;
            if ask(&file, how).map_err(StoreError::io("lock", &path))? == Asked::Busy {
                let holder = read_holder(&path, "another run");
                return Err(StoreError::Busy { what: format!("key {}", key.short()), holder });
            }
            // The holder we waited for may have removed the file: then another one counts now.
            if is_still(&path, &file) {
                let lock = KeyLock { path, file };
                lock.tell(who)?;
                return Ok(lock);
            }
        }
    }

    fn take_store(&self, how: FlockOperation) -> Result<StoreLock> {
        let path = self.root().join("locks").join("store");
        let opened = if how == FlockOperation::NonBlockingLockExclusive {
            self.open_lock(&path).map(Some)?
        } else {
            self.open_lock_to_share(&path)?
        };
        let Some(file) = opened else { return Ok(StoreLock { _file: None, works: false }) };
        match ask(&file, how).map_err(StoreError::io("lock", &path))? {
            Asked::Granted => Ok(StoreLock { _file: Some(Locked(file)), works: true }),
            Asked::Unsupported => Ok(StoreLock { _file: None, works: false }),
            Asked::Busy => {
                let shared = how == FlockOperation::NonBlockingLockShared;
                let holder = if shared { "a garbage collection" } else { "a run or a garbage collection" };
                let what = format!("store `{}`", self.root().display());
                Err(StoreError::Busy { what, holder: holder.to_owned() })
            }
        }
    }

    /// The keys whose locks somebody has.
    pub(crate) fn held_keys(&self) -> Result<BTreeSet<Key>> {
        let mut held = BTreeSet::new();
        for path in areas::children(&self.root().join("locks"))? {
            let Some(key) = areas::key_named(&path) else { continue };
            let Some(file) = files::absent_is_none(File::open(&path)).map_err(StoreError::io("open", &path))? else {
                continue;
            };
            if ask(&file, FlockOperation::NonBlockingLockShared).map_err(StoreError::io("lock", &path))? == Asked::Busy
            {
                held.insert(key);
            }
        }
        Ok(held)
    }

    /// The lock that keeps other processes out of the index, if it is free.
    pub(crate) fn try_lock_index(&self) -> Result<Option<Locked>> {
        let path = self.root().join("locks").join("index");
        let file = self.open_lock(&path)?;
        let asked = ask(&file, FlockOperation::NonBlockingLockExclusive);
        let asked = asked.map_err(StoreError::io("lock", &path))?;
        Ok((asked != Asked::Busy).then_some(Locked(file)))
    }

    pub(crate) fn key_lock_path(&self, key: &Key) -> PathBuf {
        self.root().join("locks").join(key.to_string())
    }

    /// As far as one may: of a store that is only read, the lock of whoever writes keeps collection away as well, and
    /// without it what is collected meanwhile is missed, and said to be.
    fn open_lock_to_share(&self, path: &Path) -> Result<Option<File>> {
        match self.open_lock(path) {
            Err(error) if error.is_forbidden() => Ok(File::open(path).ok()),
            opened => opened.map(Some),
        }
    }

    fn open_lock(&self, path: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        match options.open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                files::make_dir(files::parent(path))?;
                options.open(path).map_err(StoreError::io("open", path))
            }
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => Err(files::misplaced(path.to_owned(), "a file")),
            other => other.map_err(StoreError::io("open", path)),
        }
    }
}

fn ask(file: &File, how: FlockOperation) -> io::Result<Asked> {
    loop {
        match flock(file, how) {
            Ok(()) => return Ok(Asked::Granted),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Asked::Busy),
            Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                tracing::warn!("no locks on this file system: use the store from one run at a time");
                return Ok(Asked::Unsupported);
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Writes the holder into a lock file, over what a killed one left.
fn tell(file: &File, who: &str) -> io::Result<()> {
    if file.metadata()?.len() > 0 {
        file.set_len(0)?;
    }
    fault::point("hold a lock")?;
    file.write_all_at(who.as_bytes(), 0)
}

fn is_still(path: &Path, file: &File) -> bool {
    let ids = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (fs::metadata(path), file.metadata()) {
        (Ok(at_path), Ok(ours)) => ids(at_path) == ids(ours),
        _ => false,
    }
}

fn read_holder(path: &Path, unknown: &str) -> String {
    match fs::read_to_string(path) {
        Ok(holder) if !holder.is_empty() => holder,
        _ => unknown.to_owned(),
    }
}
