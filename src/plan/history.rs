//! What the store remembers of a node's last record.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use hyper_flow_cache::{Digest, Key, Store, StoreError};

use super::{Difference, Plan, Provenance, differences};
use crate::pipeline::{Node, Pipeline};
use crate::runs::{Attempt, LastKeys, Past, Run};

/// Reads what is remembered; nothing at all as long as nobody asks, so that a plan in which everything is
/// cached does without.
pub(super) struct History<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) store: &'a Store,
    keys: &'a LastKeys,
    /// What records say of themselves: the same ones go into many nodes.
    made: RefCell<HashMap<Key, Option<Rc<Provenance>>>>,
    /// Runs that were looked into: many nodes may have been interrupted in one.
    pasts: RefCell<HashMap<PathBuf, Option<Rc<Past>>>>,
}

/// A node's last record.
pub(super) struct Last {
    pub(super) key: Key,
    /// None if it was lost.
    preimage: Option<Vec<u8>>,
    /// The keys of the records whose artifacts went in, by port.
    pub(super) inputs: BTreeMap<String, Key>,
}

impl Last {
    /// In what a preimage differs from its own; nothing if that was lost.
    pub(super) fn differences(&self, preimage: &[u8]) -> Vec<Difference> {
        self.preimage.as_ref().map_or_else(Vec::new, |old| differences(old, preimage))
    }
}

impl<'a> History<'a> {
    /// Of a pipeline whose last keys are read from `keys`.
    pub(super) fn new(pipeline: &'a Pipeline, store: &'a Store, keys: &'a LastKeys) -> Self {
        Self { pipeline, store, keys, made: RefCell::default(), pasts: RefCell::default() }
    }

    /// The last record of a node, by its name.
    pub(super) fn last(&self, node: &str) -> Result<Option<Last>, StoreError> {
        self.keys.get(node)?.map(|key| self.record(key)).transpose()
    }

    /// The newest attempt at a node, if it has come to no artifact. `key` is what it has now, where that is known.
    pub(super) fn attempt(&self, node: &str, key: Option<&Key>) -> Result<Option<Attempt>, StoreError> {
        let Some(open) = self.keys.open(node)? else { return Ok(None) };
        let past = self.past(&open.run);
        let attempt = past.and_then(|past| Attempt::of(&past, past.node(node)?));
        let kept = self.store.has_scratch(&open.key)?;
        let changed_since = key.is_some_and(|key| *key != open.key);
        Ok(attempt.map(|attempt| Attempt { checkpoint: attempt.checkpoint.filter(|_| kept), changed_since, ..attempt }))
    }

    fn past(&self, run: &Run) -> Option<Rc<Past>> {
        let mut pasts = self.pasts.borrow_mut();
        pasts.entry(run.path.clone()).or_insert_with(|| Past::of(run).map(Rc::new)).clone()
    }

    /// What is known of the record of a key.
    pub(super) fn record(&self, key: Key) -> Result<Last, StoreError> {
        let inputs = self.made(&key)?.map(|made| made.inputs.clone()).unwrap_or_default();
        Ok(Last { key, preimage: self.store.preimage(&key)?, inputs })
    }

    fn made(&self, key: &Key) -> Result<Option<Rc<Provenance>>, StoreError> {
        if let Some(known) = self.made.borrow().get(key) {
            return Ok(known.clone());
        }
        let made = self.store.record(key)?.as_ref().and_then(Provenance::of).map(Rc::new);
        self.made.borrow_mut().insert(*key, made.clone());
        Ok(made)
    }

    /// In what a node differs from a record, taking inputs that are not known yet for unchanged.
    pub(super) fn differences(&self, plan: &Plan, node: &Node, last: &Last) -> Result<Vec<Difference>, StoreError> {
        let Some(old) = &last.preimage else { return Ok(Vec::new()) };
        let inputs = self.assumed_inputs(plan, node, last, old)?;
        Ok(differences(old, &plan.preimage(self.pipeline, node, &inputs).bytes()))
    }

    /// The digests of a node's inputs, those not known yet being what they were. One of a port that is new
    /// or took another node gets a digest that nothing had.
    fn assumed_inputs(
        &self,
        plan: &Plan,
        node: &Node,
        last: &Last,
        old: &[u8],
    ) -> Result<BTreeMap<String, Digest>, StoreError> {
        let old: serde_json::Value = serde_json::from_slice(old).unwrap_or_default();
        let before = |port: &str| old["inputs"][port].as_str().and_then(|digest| digest.parse().ok());
        let mut inputs = BTreeMap::new();
        for (port, name) in &node.inputs {
            let digest = match plan.get(name).and_then(|planned| planned.record.as_ref()) {
                Some(record) => record.artifact,
                None if self.rewired(node, port, last)?.is_some() => Digest::of(name.as_bytes()),
                None => before(port).unwrap_or_else(|| Digest::of(name.as_bytes())),
            };
            inputs.insert(port.clone(), digest);
        }
        Ok(inputs)
    }

    /// Whether a node whose inputs are not all known is cached if they come out as they last did. One that was never there,
    /// or of which nothing is remembered, cannot.
    pub(super) fn is_cached_if_same(&self, plan: &Plan, node: &Node) -> Result<bool, StoreError> {
        let last = self.last(&node.name)?;
        let old = last.as_ref().and_then(|last| last.preimage.as_deref());
        let old: serde_json::Value = old.and_then(|old| serde_json::from_slice(old).ok()).unwrap_or_default();
        let mut inputs = BTreeMap::new();
        for (port, name) in &node.inputs {
            let before = || old["inputs"][port].as_str().and_then(|digest| digest.parse().ok());
            let Some(digest) = self.artifact(plan, name)?.or_else(before) else { return Ok(false) };
            inputs.insert(port.clone(), digest);
        }
        let key = plan.preimage(self.pipeline, node, &inputs).key();
        Ok(self.store.record(&key)?.is_some())
    }

    /// What a node yields, or else last did.
    fn artifact(&self, plan: &Plan, node: &str) -> Result<Option<Digest>, StoreError> {
        if let Some(record) = plan.get(node).and_then(|planned| planned.record.as_ref()) {
            return Ok(Some(record.artifact));
        }
        let Some(key) = self.keys.get(node)? else { return Ok(None) };
        Ok(self.store.record(&key)?.map(|record| record.artifact))
    }

    /// The node that a port took its artifact from, if it is another one of the pipeline than now. (A node
    /// that is there no more was renamed.)
    pub(super) fn rewired(&self, node: &Node, port: &str, last: &Last) -> Result<Option<String>, StoreError> {
        let (Some(now), Some(key)) = (node.inputs.get(port), last.inputs.get(port)) else { return Ok(None) };
        let made = self.made(key)?.filter(|made| made.pipeline == self.pipeline.name);
        let before = made.map(|made| made.node.clone());
        Ok(before.filter(|before| before != now && self.pipeline.nodes.contains_key(before)))
    }
}
