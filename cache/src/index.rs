//! The index: what can be lost without loss, kept in sled.
//!
//! sled opens in one process only, and panics on a truncated file. So it is opened for one batch or
//! one reading at a time (1 to 3 ms), under a lock of ours that is never waited for long, with
//! panics caught; on any trouble its directory is set aside and filled again from the files.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::digest::{Digest, Key};
use crate::error::{Result, StoreError};
use crate::lock::Locked;
use crate::quiet::catch_quietly;
use crate::store::Store;
use crate::{fault, files};

/// A batch waits so often for another process to close the index; a reading does not.
const PATIENCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// Of so many keys it is remembered that they were all noted together, and for how long that is good enough.
const MANY: usize = 64;
const RECENT: Duration = Duration::from_secs(3600);
/// The name of the memo about it.
const TOUCHED: &[u8] = b"the keys that were last noted as used, 1";

/// What a rebuild of the index found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Records whose last use (for want of better, their writing) is known again.
    pub records: u64,
}

/// The open index.
pub(crate) struct Index {
    /// Key → milliseconds since 1970.
    used: sled::Tree,
    /// Fingerprint of a source → its digest and when that was noted.
    memo: sled::Tree,
    db: sled::Db,
}

/// What came of opening the index and working with it.
enum Tried<T> {
    Done(T),
    /// In use, or the disk is full, or one may not write there: no fault of its content.
    Unavailable,
    Damaged,
}

impl<T> Tried<T> {
    fn done(self) -> Option<T> {
        match self {
            Tried::Done(done) => Some(done),
            Tried::Unavailable | Tried::Damaged => None,
        }
    }
}

impl<T> From<Option<sled::Result<T>>> for Tried<T> {
    /// From what sled said, or `None` where it panicked.
    fn from(said: Option<sled::Result<T>>) -> Tried<T> {
        match said {
            Some(Ok(done)) => Tried::Done(done),
            Some(Err(sled::Error::Io(error))) if is_circumstance(&error) => Tried::Unavailable,
            Some(Err(error)) => {
                tracing::debug!(%error, "index damaged");
                Tried::Damaged
            }
            None => Tried::Damaged,
        }
    }
}

fn is_circumstance(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kinds = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    // sled has no kind of its own for this.
    kinds.contains(&error.kind()) || error.to_string().contains("could not acquire lock")
}

impl Store {
    /// Notes that these keys were used now, for garbage collection. One batch a run, not one call a
    /// key; where the index cannot be had nothing is noted and nothing fails. If they are many, and just these were noted within
    /// the hour, that stands: it takes longer than all else that a run does in which everything is cached.
    pub fn touch(&self, keys: &[Key]) {
        if keys.len() >= MANY && self.was_touched(keys) {
            return;
        }
        let now = to_bytes(SystemTime::now());
        let mut batch = sled::Batch::default();
        for key in keys {
            batch.insert(key.as_bytes(), &now);
        }
        let noted = self.with_index(PATIENCE, |index| {
            index.used.apply_batch(batch.clone())?;
            index.flush()
        });
        if noted.is_some() && keys.len() >= MANY {
            let _ = self.set_memo(&Digest::of(TOUCHED), all(keys).as_bytes());
        }
    }

    fn was_touched(&self, keys: &[Key]) -> bool {
        let question = Digest::of(TOUCHED);
        let age = self.memo_age(&question);
        let noted = || self.memo(&question).ok().flatten();
        self.index_path().exists()
            && age.is_some_and(|age| age < RECENT)
            && noted().is_some_and(|n| n == all(keys).as_bytes())
    }

    /// When each key was last used: as noted, or else when its record was written. A time in the future,
    /// which a wrong clock has written, counts only where there is no other.
    pub fn last_used(&self) -> Result<BTreeMap<Key, SystemTime>> {
        let now = SystemTime::now();
        let mut used = self.record_times()?;
        for (key, time) in self.read_index(Index::all_used).unwrap_or_default() {
            // Only of what still has a record, and never before it had one.
            used.entry(key).and_modify(|known| *known = later(*known, time, now));
        }
        Ok(used)
    }

    /// Makes the index anew from the files.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while another process writes to it.
    pub fn rebuild(&self) -> Result<RebuildReport> {
        let _guard = self.inner.index.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(_lock) = self.wait_for_index(PATIENCE)? else {
            let (what, holder) = ("the index".to_owned(), "another process".to_owned());
            return Err(StoreError::Busy { what, holder });
        };
        files::remove_tree(&self.index_path())?;
        let failed = || StoreError::Io {
            doing: "write the index in",
            path: self.index_path(),
            error: io::Error::other("sled refuses a new one"),
        };
        self.attempt(PATIENCE, &|index| Ok(self.fill_index(index))).done().ok_or_else(failed)?
    }

    /// The digest remembered for a source's fingerprint. The memo is read once a process.
    pub(crate) fn recall(&self, fingerprint: &Digest) -> Option<Digest> {
        if !self.trusts_stamps {
            return None;
        }
        let mut memo = self.inner.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if memo.is_none() {
            *memo = Some(self.read_index(Index::all_memo).unwrap_or_default());
        }
        memo.as_ref()?.get(fingerprint).copied()
    }

    pub(crate) fn remember(&self, fresh: &[(Digest, Digest)]) {
        if fresh.is_empty() {
            return;
        }
        let mut memo = self.inner.memo.lock().unwrap_or_else(PoisonError::into_inner);
        memo.get_or_insert_default().extend(fresh.iter().copied());
        self.with_index(PATIENCE, |index| index.add_memo(fresh));
    }

    /// What the index knows, if there is one and nobody has it: reading neither waits nor makes one.
    pub(crate) fn read_index<T>(&self, read: impl Fn(&Index) -> sled::Result<T>) -> Option<T> {
        if self.index_path().exists() { self.with_index(0, read) } else { None }
    }

    /// Does something with the index, or does without: `None` if another process has it or it cannot
    /// be had. A damaged one is set aside and filled anew first.
    pub(crate) fn with_index<T>(&self, patience: usize, work: impl Fn(&Index) -> sled::Result<T>) -> Option<T> {
        if !self.is_there() {
            return None;
        }
        let _guard = self.inner.index.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = self.wait_for_index(patience).inspect_err(|error| tracing::debug!(%error, "no index"));
        let _lock = lock.ok()??;
        match self.attempt(patience, &work) {
            Tried::Done(done) => return Some(done),
            Tried::Unavailable => return None,
            Tried::Damaged => self.set_aside(&self.index_path()),
        }
        self.attempt(patience, &|index| Ok(self.fill_index(index))).done()?.ok()?;
        self.attempt(patience, &work).done()
    }

    fn wait_for_index(&self, patience: usize) -> Result<Option<Locked>> {
        for _ in 0..patience {
            if let Some(lock) = self.try_lock_index()? {
                return Ok(Some(lock));
            }
            thread::sleep(PAUSE);
        }
        self.try_lock_index()
    }

    /// sled may let go of its files a moment after the index is closed: that too is waited for.
    fn attempt<T>(&self, patience: usize, work: &impl Fn(&Index) -> sled::Result<T>) -> Tried<T> {
        let open_and_work = || Index::open(self.index_path()).and_then(|index| work(&index));
        for _ in 0..patience {
            match Tried::from(catch_quietly(open_and_work)) {
                Tried::Unavailable => thread::sleep(PAUSE),
                tried => return tried,
            }
        }
        Tried::from(catch_quietly(open_and_work))
    }

    fn fill_index(&self, index: &Index) -> Result<RebuildReport> {
        let times = self.record_times()?;
        index.add_used(&times).map_err(|e| StoreError::Io {
            doing: "write the index in",
            path: self.index_path(),
            error: io::Error::other(e),
        })?;
        Ok(RebuildReport { records: times.len() as u64 })
    }

    fn index_path(&self) -> PathBuf {
        self.root().join("index")
    }
}

impl Index {
    fn open(path: PathBuf) -> sled::Result<Index> {
        // Without a flusher thread: every batch is flushed by hand.
        let config = sled::Config::new().path(path).flush_every_ms(None).cache_capacity(4 << 20);
        let db = config.open()?;
        Ok(Index { used: db.open_tree("used")?, memo: db.open_tree("memo")?, db })
    }

    fn flush(&self) -> sled::Result<()> {
        fault::point("write the index")?;
        self.db.flush().map(drop)
    }

    fn all_used(&self) -> sled::Result<BTreeMap<Key, SystemTime>> {
        let rows = self.used.iter().map(|row| {
            let (key, time) = row?;
            Ok(to_digest(&key).map(Key::from_bytes).zip(to_time(&time)))
        });
        rows.filter_map(Result::transpose).collect()
    }

    fn add_used(&self, times: &BTreeMap<Key, SystemTime>) -> sled::Result<()> {
        let mut batch = sled::Batch::default();
        for (key, time) in times {
            batch.insert(key.as_bytes(), &to_bytes(*time));
        }
        self.used.apply_batch(batch)?;
        self.flush()
    }

    fn all_memo(&self) -> sled::Result<HashMap<Digest, Digest>> {
        let rows = self.memo.iter().map(|row| {
            let (print, value) = row?;
            let digest = value.get(..32).and_then(to_digest);
            Ok(to_digest(&print).zip(digest).map(|(p, d)| (Digest::from_bytes(p), Digest::from_bytes(d))))
        });
        rows.filter_map(Result::transpose).collect()
    }

    fn add_memo(&self, fresh: &[(Digest, Digest)]) -> sled::Result<()> {
        let now = to_bytes(SystemTime::now());
        let mut batch = sled::Batch::default();
        for (print, digest) in fresh {
            batch.insert(print.as_bytes(), [digest.as_bytes().as_slice(), &now].concat());
        }
        self.memo.apply_batch(batch)?;
        self.flush()
    }

    /// Forgets the use of what has no record any more, what was remembered outside of `memorable`, and what
    /// an earlier version kept here.
    pub(crate) fn prune(&self, kept: &dyn Fn(&Key) -> bool, memorable: &Range<SystemTime>) -> sled::Result<()> {
        for tree in ["labels", "runs"] {
            self.db.drop_tree(tree)?;
        }
        for key in self.all_used()?.keys().filter(|key| !kept(key)) {
            self.used.remove(key.as_bytes())?;
        }
        for row in self.memo.iter() {
            let (print, value) = row?;
            if value.get(32..).and_then(to_time).is_none_or(|noted| !memorable.contains(&noted)) {
                self.memo.remove(print)?;
            }
        }
        self.flush()
    }
}

/// A digest of all these keys, whatever their order.
fn all(keys: &[Key]) -> Digest {
    let mut sorted: Vec<&Key> = keys.iter().collect();
    sorted.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for key in sorted {
        hasher.update(key.as_bytes());
    }
    hasher.finalize().into()
}

/// The later of two times, one that has not come yet only for want of a better.
pub(crate) fn later(a: SystemTime, b: SystemTime, now: SystemTime) -> SystemTime {
    match (a > now, b > now) {
        (true, false) => b,
        (false, true) => a,
        _ => a.max(b),
    }
}

fn to_bytes(time: SystemTime) -> [u8; 8] {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    (millis as u64).to_be_bytes()
}

fn to_time(bytes: &[u8]) -> Option<SystemTime> {
    let millis = u64::from_be_bytes(bytes.try_into().ok()?);
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

fn to_digest(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}
