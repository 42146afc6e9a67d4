//! Removing what garbage collection does not keep, directory by directory.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::areas;
use crate::digest::{Digest, Key};
use crate::error::{Result, StoreError};
use crate::files;
use crate::format::Access;
use crate::ledger;
use crate::policy::{GcPolicy, GcReport, MEMO_AGE};
use crate::store::Store;
use crate::usage;

/// Staging that is still in use, where locks do not say so, is younger than this.
const STAGING_AGE: Duration = Duration::from_secs(24 * 3600);

/// What the records that stay need.
#[derive(Default)]
struct Needed {
    artifacts: BTreeSet<Digest>,
    objects: BTreeSet<Digest>,
}

/// One garbage collection, once it is known what stays.
pub(crate) struct Sweep<'a> {
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a GcPolicy,
    /// Keys whose records stay.
    pub(crate) kept: &'a BTreeSet<Key>,
    /// Keys that somebody works on.
    pub(crate) busy: &'a BTreeSet<Key>,
    pub(crate) report: GcReport,
}

impl Sweep<'_> {
    /// Records go first: what is then not needed any more can go at any later time.
    pub(crate) fn records(&mut self) -> Result<()> {
        for filed in self.store.filed_in("records")? {
            let key = filed.name.map(Key::from_bytes);
            if key.is_some_and(|key| self.kept.contains(&key)) {
                self.report.kept += 1;
                continue;
            }
            self.report.records.extend(key);
            self.remove(&filed.path)?;
        }
        Ok(())
    }

    pub(crate) fn unneeded(&mut self) -> Result<()> {
        let kept = self.kept;
        let needed = self.needed()?;
        self.report.objects = self.sweep("objects", |name| needed.objects.contains(&name.into()))?;
        self.report.trees = self.sweep("trees", |name| needed.artifacts.contains(&name.into()))?;
        self.report.preimages = self.sweep("preimages", |name| kept.contains(&Key::from_bytes(name)))?;
        Ok(())
    }

    fn needed(&self) -> Result<Needed> {
        let mut needed = Needed::default();
        for key in self.kept {
            needed.artifacts.extend(self.store.record(key)?.map(|record| record.artifact));
            needed.objects.extend(self.store.objects_of(key)?.into_keys());
        }
        Ok(needed)
    }

    fn sweep(&mut self, area: &str, is_needed: impl Fn([u8; 32]) -> bool) -> Result<u64> {
        let mut removed = 0;
        for filed in self.store.filed_in(area)? {
            if !filed.name.is_some_and(&is_needed) {
                self.remove(&filed.path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    pub(crate) fn leftovers(&mut self, locks_work: bool) -> Result<()> {
        // Nobody runs while the lock is held, so nobody stages either, but for those who have a key's lock.
        let busy: BTreeSet<String> = self.busy.iter().map(Key::short).collect();
        let unused = |path: &Path| Ok(locks_work || age(path)?.is_some_and(|age| age >= STAGING_AGE));
        self.sweep_dir("tmp", |path| Ok(!staged_for(path).is_some_and(|key| busy.contains(key)) && unused(path)?))?;
        let limit = self.policy.leftovers_older_than;
        self.sweep_dir("damaged", |path| is_older(path, limit))?;
        self.sweep_dir("exports", |path| Ok(!ledger::is_current(path)?))?;
        self.sweep_dir("memos", |path| is_older(path, MEMO_AGE))?;
        self.checkpoints()?;
        if locks_work && !self.policy.dry_run {
            self.lock_files()?;
        }
        Ok(())
    }

    fn sweep_dir(&mut self, dir: &str, goes: impl Fn(&Path) -> Result<bool>) -> Result<()> {
        for path in areas::children(&self.store.root().join(dir))? {
            if goes(&path)? && self.remove_unless_written(&path)? {
                self.report.leftovers += 1;
            }
        }
        Ok(())
    }

    fn checkpoints(&mut self) -> Result<()> {
        let limit = self.policy.checkpoints_older_than;
        for path in areas::children(&self.store.root().join("scratch"))? {
            let key = areas::key_named(&path);
            let spared = |key: &Key| self.busy.contains(key) || self.policy.keep_checkpoints.contains(key);
            // One of the future is young: days of work are in it, and the clock will come to it.
            let goes = |key: &Key| Ok(self.kept.contains(key) || age(&path)?.is_some_and(|age| age >= limit));
            match key {
                Some(key) if spared(&key) || !goes(&key)? => {}
                Some(key) => {
                    if self.remove_unless_written(&path)? {
                        self.report.checkpoints.push(key);
                    }
                }
                None => {
                    self.remove(&path)?;
                    self.report.leftovers += 1;
                }
            }
        }
        Ok(())
    }

    /// Those that killed processes left: taking and releasing the lock removes its file.
    fn lock_files(&self) -> Result<()> {
        for path in areas::children(&self.store.root().join("locks"))? {
            if let Some(key) = areas::key_named(&path) {
                drop(self.store.try_lock_key(&key, "garbage collection"));
            }
        }
        Ok(())
    }

    /// False if it stays, because somebody whose engine is gone (and who inherited no lock) writes into it.
    fn remove_unless_written(&mut self, path: &Path) -> Result<bool> {
        match self.remove(path) {
            Err(StoreError::Io { error, .. }) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                self.report.written += 1;
                Ok(false)
            }
            removed => removed.map(|()| true),
        }
    }

    fn remove(&mut self, path: &Path) -> Result<()> {
        let bytes = usage::measure(path)?.bytes;
        match if self.policy.dry_run { Ok(()) } else { files::remove_tree(path) } {
            // In a shared store, what another user's job protected is left to that user, or to root.
            Err(error) if self.store.access() == Access::Group && error.is_forbidden() => {
                tracing::warn!(%error, "left to its owner");
            }
            removed => removed?,
        }
        self.report.bytes += bytes;
        Ok(())
    }
}

/// The key, in short, for whose processes a directory was made ([`Store::staging_for`]).
fn staged_for(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.split_once('-').map(|(key, _)| key)
}

/// How long nothing at this path has changed; `None` if its last change has not come yet, or nothing is there.
/// By ctime: an object that was set aside keeps the fixed mtime.
fn age(path: &Path) -> Result<Option<Duration>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let changed = usage::newest_change(path)?.and_then(|ctime| u64::try_from(ctime).ok());
    Ok(changed.and_then(|changed| now.checked_sub(changed)).map(Duration::from_secs))
}

/// Whether what nobody will miss has not changed for so long. What a wrong clock dated into the future has.
fn is_older(path: &Path, limit: Duration) -> Result<bool> {
    Ok(age(path)?.is_none_or(|age| age >= limit))
}
