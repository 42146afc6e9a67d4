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
use crate::display::{Screen, Shown};
use crate::pipeline::{Node, Pipeline};
use crate::plan::{self, Plan};
use crate::runs::{LastKeys, Use};
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
    /// What the nodes yielded in earlier runs, read once for all of them.
    last: Mutex<LastKeys>,
}

/// Everybody who is told what happens.
struct Reporter {
    log: RunLog,
    screen: Option<Screen>,
}

impl Context {
    pub(super) fn new(
        (pipeline, plan): (Pipeline, Plan),
        store: Store,
        options: Options,
        stop: Stop,
        log: RunLog,
        screen: Screen,
    ) -> Context {
        let last = Mutex::new(LastKeys::of(&pipeline, &store));
        Context {
            last,
            guard: Guard::new(options.grace),
            pipeline,
            plan,
            store,
            options,
            stop,
            run: log.id().to_owned(),
            directory: log.root().to_owned(),
            reporter: Mutex::new(Reporter { log, screen: Some(screen) }),
            worker: OnceCell::new(),
        }
    }

    /// Tells everybody, the log first. Nobody is waited for.
    pub(super) fn emit(&self, event: Event) {
        self.emit_all(&[event]);
    }

    /// Tells everybody of what happened at once.
    pub(super) fn emit_all(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut reporter = self.reporter.lock().unwrap_or_else(PoisonError::into_inner);
        let places = reporter.log.append(events);
        if let Some(screen) = &reporter.screen {
            events.iter().zip(places).for_each(|(event, place)| screen.tell(event, place));
        }
    }

    /// Waits until everything is shown, unless nobody reads, or the user wants to wait no longer.
    pub(super) async fn shown(&self) -> Shown {
        let screen = self.reporter.lock().unwrap_or_else(PoisonError::into_inner).screen.take();
        let Some(screen) = screen else { return Shown::All(Ok(())) };
        let shown = tokio::select! {
            shown = screen.end() => shown,
            () = self.stop.clone().becomes_more_urgent() => Shown::Unread,
        };
        if let Shown::Unread = &shown {
            let message = "nobody read all that the run had to say".to_owned();
            self.emit(Event::Warning { message });
        }
        shown
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

    /// In what a node differs from its last record, now that its inputs are there.
    pub(super) fn difference(&self, index: usize, preimage: &[u8]) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        plan::starting(&self.pipeline, &self.store, &last, self.node(index), preimage).ok()
    }

    /// The worker, found and asked for its version when the first node needs it.
    pub(super) async fn worker(&self) -> Result<PathBuf, NodeError> {
        let found = self.worker.get_or_init(|| async { self.find_worker().await.map_err(Arc::new) });
        found.await.clone().map_err(|error| match *error {
            WorkerError::Interrupted => NodeError::Interrupted { checkpoint: None },
            _ => NodeError::Worker { error },
        })
    }

    async fn find_worker(&self) -> Result<PathBuf, WorkerError> {
        let path = worker::find()?;
        worker::describe_during(&path, &self.store, &self.guard, self.stop.clone()).await?;
        Ok(path)
    }
}

/// Work that waits for files, off the thread that listens to processes and signals.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
