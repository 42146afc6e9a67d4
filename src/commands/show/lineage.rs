//! From what an artifact was made, and what was made from it. Graphs are as deep as people make them: nothing here recurses.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hyper_flow_cache::{Key, Record, Store, StoreError};
use hyper_flow_spec::Artifact;
use serde_json::Value;

use crate::output::report::{Ancestor, User};
use crate::pipeline::Pipeline;
use crate::plan::Provenance;
use crate::runs::{self, Origin, Seen};

/// Every node whose artifact went in, below what it went into; `names` are the present ones of keys.
pub(super) fn up(store: &Store, record: &Record, names: &BTreeMap<Key, String>) -> Result<Vec<Ancestor>, StoreError> {
    let mut found = Vec::new();
    let mut told = HashSet::new();
    let mut open = inputs(record, 1);
    while let Some((depth, port, key)) = open.pop() {
        let record = store.record(&key)?;
        let made = record.as_ref().and_then(Provenance::of);
        let below = record.as_ref().map(|record| inputs(record, depth + 1)).unwrap_or_default();
        let told_before = !told.insert(key) && !below.is_empty();
        let node = names.get(&key).cloned().or_else(|| Some(made.as_ref()?.node.clone()));
        found.push(Ancestor {
            depth,
            port,
            node: node.unwrap_or_else(|| key.short()),
            kind: made.map(|made| made.kind),
            key,
            hub: hub(store, &key)?,
            told_before,
        });
        if !told_before {
            open.extend(below);
        }
    }
    Ok(found)
}

/// The last one first, as they are taken from the end.
fn inputs(record: &Record, depth: usize) -> Vec<(usize, String, Key)> {
    let inputs = Provenance::of(record).map(|made| made.inputs).unwrap_or_default();
    inputs.into_iter().rev().map(|(port, key)| (depth, port, key)).collect()
}

/// `owner/name at 0123456789ab`.
fn hub(store: &Store, key: &Key) -> Result<Option<String>, StoreError> {
    let preimage: Value =
        store.preimage(key)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let hub = &preimage["params"]["hub"];
    let commit = hub["revision"].as_str().and_then(|commit| commit.get(..12));
    Ok(hub["repo"].as_str().zip(commit).map(|(repo, commit)| format!("{repo} at {commit}")))
}

/// The nearest model above.
pub(super) fn base(store: &Store, lineage: &[Ancestor]) -> Result<Option<Ancestor>, StoreError> {
    let mut models = Vec::new();
    for ancestor in lineage {
        let made = store.record(&ancestor.key)?.as_ref().and_then(Provenance::of);
        if made.is_some_and(|made| made.output == Artifact::Model) {
            models.push(ancestor);
        }
    }
    Ok(models.into_iter().min_by_key(|ancestor| ancestor.depth).cloned())
}

/// The nodes of a pipeline that take what a node yields.
pub(super) fn down(pipeline: &Pipeline, name: &str) -> Vec<User> {
    let takes = pipeline.nodes.values().flat_map(|node| node.inputs.iter().map(move |(port, from)| (node, port, from)));
    let takes = takes.filter(|(_, _, from)| from.as_str() == name);
    let user = |(node, port, _): (&crate::pipeline::Node, &String, _)| User {
        pipeline: None,
        node: node.name.clone(),
        kind: node.kind.name().to_owned(),
        port: port.clone(),
        run: None,
    };
    takes.map(user).collect()
}

/// The nodes of other pipelines that took what this key yielded, as far as runs tell that are kept.
pub(super) fn elsewhere(store: &Store, key: &Key, own: Option<&Origin>) -> Result<Vec<User>, StoreError> {
    let (mut users, mut seen, mut read) = (Vec::new(), Seen::default(), BTreeSet::new());
    for run in runs::newest_first(store) {
        let Some(description) = run.description() else { continue };
        if own.is_some_and(|own| own.is(&description.origin)) {
            continue;
        }
        for used in run.uses(&description, &mut seen).into_iter().filter(|used| used.done) {
            let pipeline = description.origin.path().display().to_string();
            if !read.insert((pipeline.clone(), used.node.clone(), used.key)) {
                continue;
            }
            let Some(made) = store.record(&used.key)?.as_ref().and_then(Provenance::of) else { continue };
            users.extend(made.inputs.iter().filter(|(_, input)| *input == key).map(|(port, _)| User {
                pipeline: Some(pipeline.clone()),
                node: used.node.clone(),
                kind: made.kind.clone(),
                port: port.clone(),
                run: Some(run.id()),
            }));
        }
    }
    users.sort_by(|a: &User, b| b.run.cmp(&a.run).then_with(|| a.cmp(b)));
    Ok(users)
}
