//! What garbage collection spares.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use hyper_flow_cache::{Key, Store, StoreError, remove_tree};

use super::runs::{Run, newest_first};

/// The last key of every node of every pipeline whose file still exists.
pub(super) fn last_keys(store: &Store) -> Result<BTreeSet<Key>, StoreError> {
    let mut alive: BTreeSet<String> = BTreeSet::new();
    let mut known = BTreeSet::new();
    for run in newest_first(store) {
        let Some(name) = run.pipeline_name() else { continue };
        // Only the newest run of a pipeline knows where its file is now.
        if known.insert(name.clone()) && run.pipeline().is_some_and(|file| file.is_file()) {
            alive.insert(name);
        }
    }
    let labels = store.labels()?.into_iter();
    let of_alive =
        |label: &str| alive.iter().any(|name| label.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
    Ok(labels.filter(|(label, _)| of_alive(label)).map(|(_, key)| key).collect())
}

/// Removes the logs of runs that are older than `age`, but for the newest run of each pipeline and those in
/// which a node was last run: they hold what the last key of a node is known from. Gives their ids.
pub(super) fn collect_runs(store: &Store, age: Duration, dry_run: bool) -> Result<Vec<String>, StoreError> {
    let _alone = store.try_lock_exclusive()?;
    let mut labels = BTreeSet::new();
    let mut pipelines = BTreeSet::new();
    let mut removed = Vec::new();
    for run in newest_first(store) {
        let newest = run.pipeline_name().is_some_and(|name| pipelines.insert(name));
        let before = labels.len();
        labels.extend(run.labels().into_keys());
        if !newest && labels.len() == before && older(&run, age) {
            if !dry_run {
                remove_tree(&run.path)?;
            }
            removed.push(run.id());
        }
    }
    Ok(removed)
}

fn older(run: &Run, age: Duration) -> bool {
    let modified = run.path.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|since| since > age))
}
