//! What all nodes of a run share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_flow_cache::{Store, StoreError};
use tokio::sync::OnceCell;

use super::error::NodeError;
use super::event::Event;
use super::guard::Guard;
use super::log::RunLog;
use super::resources::Machine;
use super::stop::Stop;
use crate::display::Display;
use crate::pipeline::{Node, Pipeline};
use crate::plan::Plan;
use crate::runs::Use;
use crate::worker::{self, WorkerError};

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether nodes that do not depend on a failed one are still started.
    pub keep_going: bool,
    /// What nodes may use together.
    pub machine: Machine,
    /// How long a process has, from being asked to end, until it is killed.
    pub grace: Duration,
    /// The nodes that run also where the store has what they yield.
    pub forced: BTreeSet<String>,
}

/// What all nodes of a run share.
pub(super) struct Context {
    pub(super) pipeline: Pipeline,
    pub(super) plan: Plan,
    pub(super) store: Store,
    pub(super) options: Options,
    pub(super) stop: Stop,
    pub(super) guard: Guard,
    pub(super) run: String,
    /// The directory of the run.
    pub(super) directory: PathBuf,
    reporter: Mutex<Reporter>,
    worker: OnceCell<Result<PathBuf, Arc<WorkerError>>>,
}

/// Everybody who is told what happens.
struct Reporter {
    log: RunLog,
    display: Box<dyn Display>,
}

impl Context {
    pub(super) fn new(
        (pipeline, plan): (Pipeline, Plan),
        store: Store,
        options: Options,
        stop: Stop,
        log: RunLog,
        display: Box<dyn Display>,
    ) -> Context {
        Context {
            guard: Guard::new(options.grace),
            pipeline,
            plan,
            store,
            options,
            stop,
            run: log.id().to_owned(),
            directory: log.root().to_owned(),
            reporter: Mutex::new(Reporter { log, display }),
            worker: OnceCell::new(),
        }
    }

    /// Tells everybody.
    pub(super) fn emit(&self, event: Event) {
        let mut reporter = self.reporter.lock().unwrap_or_else(PoisonError::into_inner);
        reporter.log.append(&event);
        reporter.display.event(&event);
    }

    /// Says in the log of the run which keys nodes have.
    pub(super) fn note(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner).log.note(uses)
    }

    /// Whether a node runs also where the store has what it yields.
    pub(super) fn is_forced(&self, index: usize) -> bool {
        self.options.forced.contains(self.name(index))
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.plan.graph.name(index)
    }

    pub(super) fn node(&self, index: usize) -> &Node {
        &self.pipeline.nodes[self.name(index)]
    }

    /// The worker, found and asked for its version when the first node needs it.
    pub(super) async fn worker(&self) -> Result<PathBuf, NodeError> {
        let store = self.store.clone();
        let find = move || {
            let path = worker::find()?;
            worker::describe(&path, &store).map(|_| path)
        };
        let found = self.worker.get_or_init(|| async { blocking(find).await.map_err(Arc::new) });
        found.await.clone().map_err(|error| NodeError::Worker { error })
    }
}

/// Work that waits for files, off the thread that listens to processes and signals.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
