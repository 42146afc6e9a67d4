//! A run from its plan to its summary.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper_flow_cache::{Store, StoreError};
use tokio::runtime::Builder;

use super::context::{Context, Options, blocking};
use super::error::RunError;
use super::event::{Event, Outcome, Summary};
use super::helm::Orders;
use super::limits::{self, FILE_THREADS, Room};
use super::log::RunLog;
use super::scheduler::{Ends, Scheduler};
use super::show;
use super::stop::{Stop, Urgency};
use crate::display::{Screen, Shown};
use crate::pipeline::Pipeline;
use crate::plan::{Plan, State};

/// What a run came to.
#[derive(Debug)]
pub struct Finished {
    /// What became of each node.
    pub summary: Summary,
    /// Whether the user stopped it before everything was done.
    pub interrupted: bool,
    /// Why the run could not go on.
    pub fatal: Option<StoreError>,
    /// Whether somebody took notice.
    pub shown: Shown,
}

/// Runs a plan, hearing `orders`. The store is to be held ([`Store::lock_shared`]) since before it was planned. `display`
/// starts one, and is given the log of the run to read in.
pub fn execute(
    (pipeline, plan): (Pipeline, Plan),
    targets: &[String],
    store: Store,
    mut options: Options,
    orders: Orders,
    display: impl FnOnce(File) -> io::Result<Screen>,
) -> Result<Finished, RunError> {
    let place = place_for_log(&store, &plan)?;
    let log = RunLog::create(&place, &store, &pipeline, &plan, targets)?;
    let aside = (place != store.runs()).then(|| log.root().to_owned());
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(FILE_THREADS).build();
    let runtime = runtime.map_err(|source| RunError::System { doing: "start the scheduler", source })?;
    let screen =
        log.reader().and_then(display).map_err(|source| RunError::System { doing: "start the display", source })?;
    let finished = runtime.block_on(async {
        let stop = Stop::on_signals().map_err(|source| RunError::System { doing: "listen to signals", source })?;
        let wanted = options.machine.threads.min(plan.graph.len());
        let room = limits::room_for(wanted);
        options.machine.nodes = room.nodes;
        let context = Context::new((pipeline, plan), store, options, stop, log, screen);
        Ok(run(Arc::new(context), room, wanted, orders).await)
    });
    // Beside the store, what is to be looked at stays, and nothing else.
    if let Some(aside) = aside.filter(|aside| !show::folder(aside).exists()) {
        let _ = std::fs::remove_dir_all(aside);
    }
    finished
}

/// Where the run's log goes: into the store; but if all is cached in one that this user may only read, beside it, for
/// what the run ends with is to be seen all the same.
fn place_for_log(store: &Store, plan: &Plan) -> Result<PathBuf, RunError> {
    let Err(source) = store.check_writable() else { return Ok(store.runs()) };
    match plan.nodes.iter().find(|node| node.state != State::Cached) {
        Some(node) => Err(RunError::Unwritable { node: node.name.clone(), source }),
        None => Ok(std::env::temp_dir()),
    }
}

async fn run(context: Arc<Context>, room: Room, wanted: usize, orders: Orders) -> Finished {
    context.emit(Event::RunStarted {
        run: context.run.clone(),
        pipeline: context.pipeline.name.clone(),
        nodes: context.plan.graph.len(),
        log: context.directory.clone(),
    });
    if room.nodes < wanted {
        let nodes = room.nodes;
        let message = format!("no more than {nodes} at once: more files may not be open (`ulimit -n`)");
        context.emit(Event::Warning { message });
    }
    let ends = Scheduler::new(Arc::clone(&context), orders, room.waiting).drive().await;
    tell_skipped(&context, &ends);
    let Ends { outcomes, records, fatal } = ends;
    let shown = Arc::clone(&context);
    blocking(move || show::show(&shown, &records)).await;
    let ends = outcomes.iter().enumerate();
    let summary = Summary::of(ends.map(|(index, end)| (context.name(index), end.unwrap_or(Outcome::Skipped))));
    context.emit(Event::Summary(summary.clone()));
    let shown = context.shown().await;
    let unfinished = !summary.interrupted.is_empty() || !summary.skipped.is_empty();
    Finished { summary, interrupted: unfinished && context.stop.urgency() > Urgency::None, fatal, shown }
}

/// Says of each node that was not started which failure it goes back to.
fn tell_skipped(context: &Context, ends: &Ends) {
    let mut blame: Vec<Option<usize>> = vec![None; ends.outcomes.len()];
    for (index, outcome) in ends.outcomes.iter().enumerate() {
        match outcome {
            Some(Outcome::Failed | Outcome::Interrupted) => blame[index] = Some(index),
            Some(_) => {}
            None => {
                blame[index] = context.plan.graph.dependencies(index).into_iter().find_map(|needed| blame[needed]);
                let because = match blame[index] {
                    Some(root) => format!("it needs `{}`", context.name(root)),
                    None => "the run stopped first".to_owned(),
                };
                context.emit(Event::NodeSkipped { node: context.name(index).to_owned(), because });
            }
        }
    }
}
