//! The last keys of a pipeline's nodes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::vec::IntoIter;

use hyper_flow_cache::{Key, Store, StoreError};

use super::directory::{Run, newest_first};
use super::keys::Seen;
use super::origin::Origin;
use crate::pipeline::Pipeline;

/// What the nodes of a pipeline last yielded, from the logs of its runs: the newest are read first, and none as
/// long as nobody asks, or more than are needed.
#[derive(Debug)]
pub struct LastKeys {
    store: Store,
    origin: Origin,
    read: RefCell<Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// The runs that were not read yet; none before the first is.
    rest: Option<IntoIter<Run>>,
    keys: BTreeMap<String, Key>,
    /// Of each node that was met, whether its newest use came to nothing.
    newest: BTreeMap<String, Option<Open>>,
    seen: Seen,
}

/// A key that a node was started with, and that has no record.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) run: Run,
    pub(crate) key: Key,
}

impl LastKeys {
    /// Of a pipeline.
    pub fn of(pipeline: &Pipeline, store: &Store) -> LastKeys {
        LastKeys::of_origin(Origin::of(&pipeline.path, store), store)
    }

    /// Of the pipeline of this file.
    pub fn of_origin(origin: Origin, store: &Store) -> LastKeys {
        LastKeys { store: store.clone(), origin, read: RefCell::default() }
    }

    /// The key of a node in the newest run in which it was done.
    pub fn get(&self, node: &str) -> Result<Option<Key>, StoreError> {
        self.read_until(|read| read.keys.get(node).copied())
    }

    /// The newest attempt at a node, if it has not come to an artifact.
    pub(crate) fn open(&self, node: &str) -> Result<Option<Open>, StoreError> {
        Ok(self.read_until(|read| read.newest.get(node).cloned())?.flatten())
    }

    fn read_until<T>(&self, found: impl Fn(&Read) -> Option<T>) -> Result<Option<T>, StoreError> {
        let mut read = self.read.borrow_mut();
        if read.rest.is_none() {
            read.rest = Some(newest_first(&self.store).into_iter());
        }
        loop {
            if let Some(found) = found(&read) {
                return Ok(Some(found));
            }
            let Some(run) = read.rest.as_mut().and_then(Iterator::next) else { return Ok(None) };
            self.read(&run, &mut read)?;
        }
    }

    fn read(&self, run: &Run, Read { keys, newest, seen, .. }: &mut Read) -> Result<(), StoreError> {
        let Some(description) = run.description().filter(|run| run.origin.is(&self.origin)) else { return Ok(()) };
        for used in run.uses(&description, seen).into_iter().rev() {
            if keys.contains_key(&used.node) {
                continue;
            }
            // An engine that was killed may have published what it did not come to note.
            let done = used.done || self.store.record(&used.key)?.is_some();
            let open = || (!done).then(|| Open { run: run.clone(), key: used.key });
            newest.entry(used.node.clone()).or_insert_with(open);
            if done {
                keys.insert(used.node, used.key);
            }
        }
        Ok(())
    }
}
