//! `hyper-flow run`.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use hyper_flow_cache::{Store, StoreError, StoreLock};

use crate::commands::again::Again;
use crate::commands::context::{Context, Format};
use crate::commands::plan::state;
use crate::commands::source::{self, Overriding};
use crate::commands::watch;
use crate::display::{self, Forecast, Shown};
use crate::error::Failure;
use crate::output::report::Planned;
use crate::pipeline::Pipeline;
use crate::plan::{self, Classes, Plan};
use crate::run::{self, Finished, Machine, Options, Orders, RunError};

/// Runs the nodes whose results are not in the store
///
/// Nodes run side by side as their inputs and the machine allow. The first failure keeps more nodes from
/// starting; those that run are let finish, and what they yield is kept.
///
/// Ctrl-C asks the nodes to stop: trainings write a checkpoint, from which the next run goes on. So do SIGTERM, SIGHUP (the
/// terminal closes), SIGUSR1 and SIGUSR2 (`sbatch --signal=B:USR1@300`) and SIGXCPU. Ctrl-C while they stop, or a second
/// SIGTERM, kills them; within a second of the first it is the same request. A signal that is ignored when the run starts
/// stays ignored: `nohup hyper-flow run` goes on without its terminal, and what a script starts with `&` is not
/// stopped by Ctrl-C.
///
/// Nobody has to read: a display that is stopped (Ctrl-S, a pager) leaves lines out, which the log of the run has, and is not
/// waited for longer than 5 seconds when all is done. With `--json` a slow reader gets every event, as long as it takes
/// something every minute; nodes finish without a reader, but one that did not get every event makes exit code 3.
///
/// A node computes with as many threads as its `settings` say, or else the machine has cores (a `Command`:
/// one), whatever runs beside it, so that the same key gives the same bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipeline, and the nodes that are wanted with all that they need: all when none is named.
    #[arg(value_name = "FILE|NODE")]
    words: Vec<String>,
    #[command(flatten)]
    pub(super) overriding: Overriding,
    /// After a failure, goes on with the nodes that do not need the failed one.
    #[arg(long, short)]
    keep_going: bool,
    /// Runs this node, though the store may have what it yields; may be given several times. The new result
    /// takes the place of the old one when it is there, and if it is the same, nothing after it runs.
    #[arg(long, value_name = "NODE")]
    pub(super) force: Vec<String>,
    /// Says what would run, and why, and runs nothing: the same as `plan`.
    #[arg(long)]
    dry_run: bool,
    /// Runs again whenever the pipeline file, the file of `--params`, or a file or folder that a node reads is saved, until
    /// Ctrl-C. If what runs then is as before, it is let finish first; if not, it stops with a checkpoint. A mistake in the
    /// file is told, and waited on; what runs goes on. What changes nothing that is run, as a comment, starts nothing.
    #[arg(long, short, conflicts_with = "dry_run")]
    watch: bool,
    /// CPU threads that nodes may take together [default: the machine's cores].
    #[arg(long, short = 'j', visible_alias = "jobs", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// GPUs that nodes may take together [default: all that are seen].
    #[arg(long, value_name = "N")]
    gpus: Option<u16>,
    /// Gibibytes of memory for the nodes that declare theirs [default: the machine's].
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u32).range(1..))]
    memory: Option<u32>,
    /// Seconds that a process has, from being asked to stop, until it is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u32,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, targets) = source::split(&args.words, &args.overriding, context)?;
    if args.watch {
        return watch::watch(args, &file, targets, context);
    }
    let pipeline = args.overriding.load(&file, context).map_err(Failure::user)?;
    context.warn(&pipeline.warnings);
    let store = if args.dry_run { context.look_into_store()? } else { context.open_store()? };
    context.warn_if_missing(&store);
    if args.dry_run {
        let Ready { pipeline, plan, .. } = ready(pipeline, store, targets, &args.force)?;
        let report = Planned { pipeline: pipeline.name, nodes: plan.nodes.iter().map(state).collect() };
        return context.print(|output, out| output.planned(out, &report));
    }
    // Before the plan, so that nothing is collected between looking it up and using it.
    let _lock = lock(&store, context)?;
    let finished = go(ready(pipeline, store, targets, &args.force)?, args, targets, run::helm().1, context)?;
    exit(finished, context.format)
}

/// What can be run.
pub(super) struct Ready {
    pub(super) pipeline: Pipeline,
    pub(super) store: Store,
    pub(super) plan: Plan,
    forced: BTreeSet<String>,
}

/// Plans; the nodes that are `forced` run in any case.
pub(super) fn ready(pipeline: Pipeline, store: Store, targets: &[String], forced: &[String]) -> Result<Ready, Failure> {
    let classes = Classes::of(&pipeline, &store)?;
    let mut plan = plan::plan(&pipeline, &store, targets, classes)?;
    let forced = plan.force(&pipeline, forced)?;
    Ok(Ready { pipeline, store, plan, forced })
}

/// Runs it.
pub(super) fn go(
    ready: Ready,
    args: &Args,
    targets: &[String],
    orders: Orders,
    context: &Context,
) -> Result<Finished, Failure> {
    let Ready { pipeline, store, plan, forced } = ready;
    let options = args.options(forced);
    let forecast = Forecast::new(&pipeline, &plan, &store, &options.machine);
    let again = Again::of(&args.words, &args.overriding, context);
    let display = |log| display::start(context, forecast, again, log);
    Ok(run::execute((pipeline, plan), targets, store, options, orders, display)?)
}

impl Args {
    fn options(&self, forced: BTreeSet<String>) -> Options {
        let mut machine = Machine::detect();
        machine.threads = self.threads.map_or(machine.threads, usize::from);
        machine.memory = self.memory.map_or(machine.memory, |gib| u64::from(gib) << 30);
        machine.gpus.truncate(self.gpus.map_or(usize::MAX, usize::from));
        Options { keep_going: self.keep_going, machine, grace: Duration::from_secs(self.grace.into()), forced }
    }
}

/// What the command ends with.
pub(super) fn exit(finished: Finished, format: Format) -> Result<(), Failure> {
    let Finished { summary, interrupted, fatal, shown } = finished;
    let unread = matches!(shown, Shown::Unread);
    let ended = match fatal {
        Some(error) => Err(Failure::Store(error)),
        None if interrupted => Err(Failure::Interrupted),
        None if !summary.failed.is_empty() => Err(Failure::Node),
        None => told(shown, format),
    };
    // Who did not read what the run said reads no message either, and must not be waited for.
    ended.map_err(|failure| if unread { Failure::Unread(failure.code()) } else { failure })
}

/// People may stop reading what they like, and machines are promised every event.
fn told(shown: Shown, format: Format) -> Result<(), Failure> {
    match (shown, format) {
        (Shown::All(written), Format::Json) => written.map_err(Failure::Events),
        (Shown::All(written), _) => written.map_err(Failure::Output),
        (Shown::Unread, Format::Json) => Err(Failure::Events(io::ErrorKind::TimedOut.into())),
        (Shown::Unread, _) => Ok(()),
    }
}

/// Keeps garbage collection away, and says so if it has to wait for one.
pub(super) fn lock(store: &Store, context: &Context) -> Result<StoreLock, StoreError> {
    match store.try_lock_shared() {
        Err(StoreError::Busy { .. }) => {
            if context.format == Format::Human {
                display::say("waiting for garbage collection to end");
            }
            store.lock_shared()
        }
        taken => taken,
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Store(error) => Failure::Store(error),
            unwritable @ RunError::Unwritable { .. } => Failure::Unwritable(unwritable),
            system => Failure::user(system),
        }
    }
}
