//! Garbage collection.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::areas;
use crate::digest::{Digest, Key};
use crate::error::Result;
use crate::files;
use crate::format::Access;
use crate::ledger;
use crate::store::Store;
use crate::usage;

/// Staging that is still in use, where locks do not say so, is younger than this.
const STAGING_AGE: Duration = Duration::from_secs(24 * 3600);

/// What was remembered of sources, and by the caller, is forgotten after this time.
const MEMO_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

/// What garbage collection keeps. With the default, nothing but `keep` (which is empty).
#[derive(Debug, Clone)]
pub struct GcPolicy {
    /// Records that are kept in any case.
    pub keep: BTreeSet<Key>,
    /// Also keep what was used within this time.
    pub keep_newer_than: Option<Duration>,
    /// Of what is not in `keep`, retain the most recently used that fits into so many bytes of
    /// artifacts (together with `keep`). Without `keep_newer_than` this alone decides.
    pub max_bytes: Option<u64>,
    /// Left-overs that may still be of use (checkpoints of unfinished keys, what was set aside) go
    /// when they are older than this.
    pub leftovers_older_than: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

impl Default for GcPolicy {
    fn default() -> Self {
        GcPolicy {
            keep: BTreeSet::new(),
            keep_newer_than: None,
            max_bytes: None,
            leftovers_older_than: Duration::from_secs(14 * 24 * 3600),
            dry_run: false,
        }
    }
}

/// What garbage collection removed, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Keys whose records went.
    pub records: Vec<Key>,
    /// Records that stay.
    pub kept: u64,
    /// Objects that no record needs.
    pub objects: u64,
    /// Manifests that no record needs.
    pub trees: u64,
    /// Preimages without a record.
    pub preimages: u64,
    /// Staging, checkpoints, what was set aside, notes on exports, memos: entries of these directories.
    pub leftovers: u64,
    /// The bytes of all of it.
    pub bytes: u64,
}

impl Store {
    /// Removes records that `policy` does not keep, then everything no record needs. Killed at any
    /// point it leaves a correct store. `runs/` is the caller's.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while a run holds the store.
    pub fn gc(&self, policy: &GcPolicy) -> Result<GcReport> {
        let lock = self.try_lock_exclusive()?;
        let kept = self.choose(policy)?;
        let mut sweep = Sweep { store: self, policy, kept: &kept, report: GcReport::default() };
        sweep.records()?;
        sweep.unneeded()?;
        sweep.leftovers(lock.works)?;
        if !policy.dry_run {
            let oldest = SystemTime::now().checked_sub(MEMO_AGE).unwrap_or(SystemTime::UNIX_EPOCH);
            self.with_index(0, |index| index.prune(&|key| kept.contains(key), oldest));
        }
        Ok(sweep.report)
    }

    /// The keys whose records stay.
    fn choose(&self, policy: &GcPolicy) -> Result<BTreeSet<Key>> {
        let used = self.last_used()?;
        let (mut kept, mut others): (BTreeSet<Key>, Vec<_>) = (BTreeSet::new(), Vec::new());
        for (key, time) in used {
            if policy.keep.contains(&key) {
                kept.insert(key);
            } else if policy.allows_age(time) {
                others.push((time, key));
            }
        }
        let Some(max) = policy.max_bytes else {
            kept.extend(others.into_iter().map(|(_, key)| key));
            return Ok(kept);
        };
        others.sort();
        let mut budget = Budget { store: self, counted: BTreeSet::new(), bytes: 0 };
        for key in &kept {
            budget.add(key)?;
        }
        for (_, key) in others.iter().rev() {
            if budget.add(key)? > max {
                break;
            }
            kept.insert(*key);
        }
        Ok(kept)
    }

    fn objects_of(&self, key: &Key) -> Result<BTreeMap<Digest, u64>> {
        let Some(record) = self.record(key)? else { return Ok(BTreeMap::new()) };
        let tree = self.find_tree(&record.artifact)?.unwrap_or_default();
        Ok(tree.entries().iter().map(|entry| (entry.digest, entry.size)).collect())
    }
}

impl GcPolicy {
    fn allows_age(&self, used: SystemTime) -> bool {
        match self.keep_newer_than {
            Some(limit) => used.elapsed().is_ok_and(|age| age <= limit) || used > SystemTime::now(),
            None => self.max_bytes.is_some(),
        }
    }
}

/// How many bytes the objects of some keys take, shared ones once.
struct Budget<'a> {
    store: &'a Store,
    counted: BTreeSet<Digest>,
    bytes: u64,
}

impl Budget<'_> {
    fn add(&mut self, key: &Key) -> Result<u64> {
        for (digest, size) in self.store.objects_of(key)? {
            if self.counted.insert(digest) {
                self.bytes += size;
            }
        }
        Ok(self.bytes)
    }
}

/// What the records that stay need.
#[derive(Default)]
struct Needed {
    artifacts: BTreeSet<Digest>,
    objects: BTreeSet<Digest>,
}

struct Sweep<'a> {
    store: &'a Store,
    policy: &'a GcPolicy,
    kept: &'a BTreeSet<Key>,
    report: GcReport,
}

impl Sweep<'_> {
    /// Records go first: what is then not needed any more can go at any later time.
    fn records(&mut self) -> Result<()> {
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

    fn unneeded(&mut self) -> Result<()> {
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

    fn leftovers(&mut self, locks_work: bool) -> Result<()> {
        // Nobody runs while the lock is held, so nobody stages either.
        let staging_age = if locks_work { Duration::ZERO } else { STAGING_AGE };
        self.sweep_dir("tmp", |path| is_older(path, staging_age))?;
        let age = self.policy.leftovers_older_than;
        self.sweep_dir("damaged", |path| is_older(path, age))?;
        let kept = self.kept;
        let finished = |path: &Path| key_named(path).is_some_and(|key| kept.contains(&key));
        self.sweep_dir("scratch", |path| Ok(finished(path) || is_older(path, age)?))?;
        self.sweep_dir("exports", |path| Ok(!ledger::is_current(path)?))?;
        self.sweep_dir("memos", |path| is_older(path, MEMO_AGE))?;
        if locks_work && !self.policy.dry_run {
            self.lock_files()?;
        }
        Ok(())
    }

    fn sweep_dir(&mut self, dir: &str, goes: impl Fn(&Path) -> Result<bool>) -> Result<()> {
        for path in areas::children(&self.store.root().join(dir))? {
            if goes(&path)? {
                self.remove(&path)?;
                self.report.leftovers += 1;
            }
        }
        Ok(())
    }

    /// Those that killed processes left: taking and releasing the lock removes its file.
    fn lock_files(&self) -> Result<()> {
        for path in areas::children(&self.store.root().join("locks"))? {
            if let Some(key) = key_named(&path) {
                drop(self.store.try_lock_key(&key, "garbage collection"));
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> Result<()> {
        self.report.bytes += usage::measure(path)?.bytes;
        if self.policy.dry_run {
            return Ok(());
        }
        match files::remove_tree(path) {
            // In a shared store, what another user's job protected is left to that user, or to root.
            Err(error) if self.store.access() == Access::Group && error.is_forbidden() => {
                tracing::warn!(%error, "left to its owner");
                Ok(())
            }
            removed => removed,
        }
    }
}

fn key_named(path: &Path) -> Option<Key> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Whether nothing at this path changed within `age`. By ctime: an object that was set aside keeps
/// the fixed mtime.
fn is_older(path: &Path, age: Duration) -> Result<bool> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let limit = now.saturating_sub(age).as_secs() as i64;
    Ok(usage::newest_change(path)?.is_none_or(|ctime| ctime <= limit))
}
