//! Making what nodes have made visible, for many at once.
//!
//! Making one artifact durable takes as long as a hundred, and as long as many a small program runs. So what comes within a
//! moment is published together, while the machine's cores are given to the next nodes. As long as no process runs, nothing
//! is waited for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_flow_cache::{Key, KeyLock, Record, Store, StoreError, Unfiled};
use serde_json::Value;
use tokio::time::Instant;

use super::attempt::Step;
use super::context::{Context, blocking};
use super::error::NodeError;
use super::job::Job;
use super::{finished, going_on};
use crate::plan::going_on::course;

/// How long what is made waits for more while processes run.
const MOMENT: Duration = Duration::from_millis(50);

/// What a node has made, and nobody sees yet.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) key: Key,
    pub(super) preimage: Vec<u8>,
    pub(super) meta: Value,
    pub(super) unfiled: Unfiled,
    /// The directory that the artifact is in.
    pub(super) job: Job,
}

/// The same, of a node, whose key is held until others can see it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) index: usize,
    pub(super) fresh: Fresh,
    pub(super) lock: KeyLock,
}

/// What waits for the disk.
#[derive(Debug)]
pub(super) struct Queue {
    /// So many may.
    most: usize,
    waiting: Vec<Held>,
    /// How many the disk is at.
    busy: usize,
    /// When it began with them.
    begun: Option<Instant>,
}

impl Queue {
    /// For at most so many.
    pub(super) fn new(most: usize) -> Queue {
        Queue { most, waiting: Vec::new(), busy: 0, begun: None }
    }

    /// One more.
    pub(super) fn push(&mut self, held: Held) {
        self.waiting.push(held);
    }

    /// Whether no more nodes may be started meanwhile.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() + self.busy >= self.most
    }

    /// What is to be published now, if that is to be.
    pub(super) fn due(&mut self, nothing_runs: bool) -> Option<Vec<Held>> {
        let due = nothing_runs || self.is_full() || self.begun.is_none_or(|begun| begun.elapsed() >= MOMENT);
        if self.waiting.is_empty() || self.busy > 0 || !due {
            return None;
        }
        self.begun = Some(Instant::now());
        self.busy = self.waiting.len();
        Some(std::mem::take(&mut self.waiting))
    }

    /// They are.
    pub(super) fn published(&mut self) {
        self.busy = 0;
    }

    /// When to look again, unless something else happens; none while the disk is at it, or has nothing to do.
    pub(super) fn next(&self) -> Option<Instant> {
        let waits = self.busy == 0 && !self.waiting.is_empty();
        self.begun.filter(|_| waits).map(|begun| begun + MOMENT)
    }
}

/// Publishes all of them.
pub(super) async fn publish(context: Arc<Context>, batch: Vec<Held>) -> Vec<(usize, Step)> {
    blocking(move || {
        let mut unfiled = Vec::with_capacity(batch.len());
        let mut rest = Vec::with_capacity(batch.len());
        for Held { index, fresh: Fresh { key, preimage, meta, unfiled: one, job }, lock } in batch {
            unfiled.push(one);
            rest.push((index, key, preimage, meta, job, lock));
        }
        let published = context.store.publish_all(unfiled);
        let each = rest.into_iter().zip(published).map(|((index, key, preimage, meta, job, lock), published)| {
            let made = Yield { index, key: &key, preimage: &preimage, out: &job.out(), meta: &meta };
            let ended = made.settle(&context, published);
            drop((job, lock));
            (index, ended.map_or_else(Step::Failed, Step::Ran))
        });
        each.collect()
    })
    .await
}

/// What a node has made, where it lies.
pub(super) struct Yield<'a> {
    pub(super) index: usize,
    pub(super) key: &'a Key,
    pub(super) preimage: &'a [u8],
    pub(super) out: &'a Path,
    pub(super) meta: &'a Value,
}

impl Yield<'_> {
    /// Makes it ready to be published.
    pub(super) fn unfiled(&self, context: &Context) -> Result<Unfiled, NodeError> {
        let unfiled = if context.is_forced(self.index) { Store::unfiled_anew } else { Store::unfiled };
        unfiled(&context.store, self.key, self.preimage, self.out, self.meta.clone())
            .map_err(|error| self.kept(&context.store, error))
    }

    /// Publishes it alone.
    pub(super) fn publish(&self, context: &Context) -> Result<Record, NodeError> {
        let published = context.store.publish_all(vec![self.unfiled(context)?]).remove(0);
        self.settle(context, published)
    }

    /// What is to be done when it is there. What cannot be published for no fault of its own is kept for the next run.
    fn settle(&self, context: &Context, published: Result<Record, StoreError>) -> Result<Record, NodeError> {
        let record = published.map_err(|error| self.kept(&context.store, error))?;
        let node = context.node(self.index);
        course(&node.kind, self.preimage).iter().for_each(|course| going_on::keep(context, node, self.key, course));
        context.store.clear_scratch(self.key)?;
        Ok(record)
    }

    /// Keeps it, and says what was wrong.
    fn kept(&self, store: &Store, error: StoreError) -> NodeError {
        match unkeepable(error, self.out) {
            NodeError::Store(error) if finished::keep(store, self.key, self.out, self.meta).is_ok() => {
                NodeError::Kept(error)
            }
            other => other,
        }
    }
}

/// Trouble with what the node wrote is the node's, any other the store's.
fn unkeepable(error: StoreError, out: &Path) -> NodeError {
    match &error {
        StoreError::NotPlain { .. } | StoreError::NotUtf8 { .. } | StoreError::Loop { .. } => {
            NodeError::Unkeepable(error)
        }
        StoreError::Io { path, .. } if path.starts_with(out) && !error.is_out_of_room() => NodeError::Unkeepable(error),
        _ => NodeError::Store(error),
    }
}
