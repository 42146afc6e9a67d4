//! Garbage collection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::digest::{Digest, Key};
use crate::error::Result;
use crate::index::later;
use crate::lock::StoreLock;
use crate::policy::{GcPolicy, GcReport, MEMO_AGE};
use crate::store::Store;
use crate::sweep::Sweep;

impl Store {
    /// Removes records that `policy` does not keep, then everything no record needs. Killed at any
    /// point it leaves a correct store. `runs/` is the caller's.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while a run holds the store.
    pub fn gc(&self, policy: &GcPolicy) -> Result<GcReport> {
        self.collect(&self.try_lock_exclusive()?, policy)
    }

    /// As [`Store::gc`], for one who has [`Store::try_lock_exclusive`] since before it made the policy.
    pub fn collect(&self, lock: &StoreLock, policy: &GcPolicy) -> Result<GcReport> {
        let busy = self.held_keys()?;
        let kept = self.choose(policy, &busy)?;
        let report = GcReport { busy: busy.iter().copied().collect(), ..GcReport::default() };
        let mut sweep = Sweep { store: self, policy, kept: &kept, busy: &busy, report };
        sweep.records()?;
        sweep.unneeded()?;
        sweep.leftovers(lock.works)?;
        if !policy.dry_run {
            let now = SystemTime::now();
            let memorable = now.checked_sub(MEMO_AGE).unwrap_or(SystemTime::UNIX_EPOCH)..now;
            self.with_index(0, |index| index.prune(&|key| kept.contains(key), &memorable));
        }
        Ok(sweep.report)
    }

    /// The keys whose records stay.
    fn choose(&self, policy: &GcPolicy, busy: &BTreeSet<Key>) -> Result<BTreeSet<Key>> {
        let now = SystemTime::now();
        let pinned: BTreeSet<Key> = self.pins()?.into_iter().map(|pin| pin.key).collect();
        let (mut kept, mut others): (BTreeSet<Key>, Vec<_>) = (BTreeSet::new(), Vec::new());
        for (key, noted) in self.last_used()? {
            let used = policy.used.get(&key).map_or(noted, |told| later(noted, *told, now));
            if [&policy.keep, &pinned, busy].iter().any(|keys| keys.contains(&key)) {
                kept.insert(key);
            } else if policy.allows_age(now, used) {
                others.push((used, key));
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

    pub(crate) fn objects_of(&self, key: &Key) -> Result<BTreeMap<Digest, u64>> {
        let Some(record) = self.record(key)? else { return Ok(BTreeMap::new()) };
        let tree = self.find_tree(&record.artifact)?.unwrap_or_default();
        Ok(tree.entries().iter().map(|entry| (entry.digest, entry.size)).collect())
    }
}

impl GcPolicy {
    /// What was used at a time that has not come yet was used just now.
    fn allows_age(&self, now: SystemTime, used: SystemTime) -> bool {
        match self.keep_newer_than {
            Some(limit) => now.duration_since(used).unwrap_or_default() < limit,
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
