//! One node from its key to its record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyper_flow_cache::{Key, KeyLock, Record, StoreError};
use hyper_flow_spec::{Kind, Level, Memory, VERSION};

use super::context::{Context, blocking};
use super::error::NodeError;
use super::event::Event;
use super::filing::{Fresh, Held, Yield};
use super::finished::{self, Finished};
use super::job::{Job, Output};
use super::log::{io_error, node_directory};
use super::made::{Made, Said};
use super::process::Limits;
use super::resources::{Grant, Need};
use super::{command, holder, worker};
use crate::pipeline::Node;
use crate::plan::going_on::course;
use crate::plan::{Provenance, State};

/// A node whose inputs are there.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) index: usize,
    pub(super) inputs: BTreeMap<String, Record>,
    pub(super) key: Key,
    pub(super) preimage: Vec<u8>,
    pub(super) need: Need,
}

/// What came of trying.
#[derive(Debug)]
pub(super) enum Step {
    /// The store has it.
    Hit(Record),
    /// It must run.
    Miss(Box<Work>),
    /// Another run works on it.
    Busy(Box<Work>, String),
    /// It ran, and nobody sees yet what it made.
    Made(Box<Held>),
    /// It ran.
    Ran(Record),
    /// It came to nothing.
    Failed(NodeError),
}

/// Derives a node's key and looks it up.
pub(super) async fn look_up(context: Arc<Context>, index: usize, inputs: BTreeMap<String, Record>) -> Step {
    look_again(Arc::clone(&context), work(&context, index, inputs)).await
}

/// Derives a node's key.
pub(super) fn work(context: &Context, index: usize, inputs: BTreeMap<String, Record>) -> Box<Work> {
    let node = context.node(index);
    let artifacts = inputs.iter().map(|(port, record)| (port.clone(), record.artifact)).collect();
    let preimage = context.plan.preimage(&context.pipeline, node, &artifacts).bytes();
    let key = Key::derive(&preimage);
    let need = Need::of(node, &context.options.machine);
    Box::new(Work { index, inputs, key, preimage, need })
}

/// Looks up a key, again if another run works on it.
pub(super) async fn look_again(context: Arc<Context>, work: Box<Work>) -> Step {
    let looked_up = blocking(move || {
        let found = look(&context, work.index, &work.key)?;
        Ok(found.map_or_else(|| Step::Miss(work), Step::Hit))
    });
    looked_up.await.unwrap_or_else(Step::Failed)
}

/// What the store has; nothing for a node that is to run in any case.
fn look(context: &Context, index: usize, key: &Key) -> Result<Option<Record>, StoreError> {
    if context.is_forced(index) { Ok(None) } else { context.store.lookup(key) }
}

/// Runs a node that has what it needs, unless another run is at it or has just done it.
pub(super) async fn perform(context: Arc<Context>, work: Box<Work>, grant: Grant) -> Step {
    let (lock, prepared) = match begin(&context, &work).await {
        Ok(Begun::Ready(lock, prepared)) => (lock, prepared),
        Ok(Begun::Theirs(holder)) => return Step::Busy(work, holder),
        Ok(Begun::Done(record)) => return Step::Hit(record),
        Ok(Begun::Finished(record)) => return Step::Ran(record),
        Err(error) => return Step::Failed(error),
    };
    let gpus = grant.gpus.iter().map(|gpu| context.options.machine.gpus[*gpu].clone()).collect();
    match attempts(&context, &work, &lock, prepared, gpus).await {
        Ok(fresh) => Step::Made(Box::new(Held { index: work.index, fresh, lock })),
        Err(error) => Step::Failed(error),
    }
}

/// What a node comes to before its process.
enum Begun {
    /// All is there for it.
    Ready(KeyLock, Prepared),
    /// Another run has its key.
    Theirs(String),
    /// Another run has just done it.
    Done(Record),
    /// An earlier run had done it, and could not keep what it made.
    Finished(Record),
}

/// The lookup comes after the lock: whoever had it before may have published.
async fn begin(context: &Arc<Context>, work: &Work) -> Result<Begun, NodeError> {
    let (context, index, key) = (Arc::clone(context), work.index, work.key);
    let (inputs, preimage) = (work.inputs.clone(), work.preimage.clone());
    blocking(move || {
        let lock = match context.store.try_lock_key(&key, &holder::name(&context.run, std::process::id())) {
            Err(StoreError::Busy { holder, .. }) => return Ok(Begun::Theirs(holder::describe(&context.store, holder))),
            taken => taken?,
        };
        if let Some(record) = look(&context, index, &key)? {
            return Ok(Begun::Done(record));
        }
        if let Some(record) = finished_before(&context, index, &key, &preimage)? {
            return Ok(Begun::Finished(record));
        }
        Ok(Begun::Ready(lock, prepare(&context, index, &key, &inputs, &preimage)?))
    })
    .await
}

async fn attempts(
    context: &Arc<Context>,
    work: &Work,
    lock: &KeyLock,
    first: Prepared,
    gpus: Vec<String>,
) -> Result<Fresh, NodeError> {
    let node = context.node(work.index);
    let (mut number, mut prepared) = (1, first);
    loop {
        let error = match attempt(context, work, lock, prepared, &gpus, number).await {
            Err(error) if error.may_pass() && number <= node.settings.retries => error,
            ended => return ended,
        };
        let left = node.settings.retries - number;
        context.emit(Event::NodeRetried { node: node.name.clone(), message: error.to_string(), left });
        number += 1;
        prepared = prepare_again(context, work).await?;
    }
}

/// One attempt at a node, as those see it who start its process.
pub(super) struct Attempt<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) node: &'a Node,
    pub(super) key: &'a Key,
    /// The course of its training, if that has one.
    pub(super) course: Option<Key>,
    /// Whether it is to run although what it yields is there.
    pub(super) is_forced: bool,
    /// Its processes inherit it.
    pub(super) lock: &'a KeyLock,
    pub(super) job: &'a Job,
    /// Where its output is logged.
    pub(super) log: PathBuf,
    pub(super) threads: usize,
    pub(super) gpus: &'a [String],
}

/// What a process that ended well leaves to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    pub(super) device: Option<String>,
    pub(super) libtorch: Option<String>,
    pub(super) worker: Option<String>,
    pub(super) memory: Option<Memory>,
    pub(super) told: Vec<String>,
    pub(super) said: Said,
    /// The end of what it printed.
    pub(super) output: Option<String>,
}

impl Attempt<'_> {
    /// The seed of its random numbers.
    pub(super) fn seed(&self) -> u64 {
        self.node.settings.seed.unwrap_or(self.context.pipeline.seed)
    }

    /// Where samples of a training are.
    pub(super) fn samples(&self) -> PathBuf {
        self.log.join("samples")
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { timeout: self.node.settings.timeout, grace: self.context.options.grace }
    }
}

async fn attempt(
    context: &Arc<Context>,
    work: &Work,
    lock: &KeyLock,
    Prepared { job, log, reason }: Prepared,
    gpus: &[String],
    number: u32,
) -> Result<Fresh, NodeError> {
    let node = context.node(work.index);
    let started = Instant::now();
    context.emit(Event::NodeStarted {
        node: node.name.clone(),
        kind: node.kind.name(),
        key: work.key,
        reason,
        attempt: number,
        threads: work.need.threads,
        gpus: gpus.to_vec(),
    });
    let attempt = Attempt {
        context,
        node,
        key: &work.key,
        course: course(&node.kind, &work.preimage),
        is_forced: context.is_forced(work.index),
        lock,
        job: &job,
        log,
        threads: work.need.threads,
        gpus,
    };
    let ended = match &node.kind {
        Kind::Command(program) => command::run(&attempt, program).await,
        _ => worker::run(&attempt).await,
    };
    finish(context, work, job, ended, started).await
}

/// What is there before the process starts.
struct Prepared {
    job: Job,
    /// Where its output is logged.
    log: PathBuf,
    reason: Option<String>,
}

async fn prepare_again(context: &Arc<Context>, work: &Work) -> Result<Prepared, NodeError> {
    let (context, index, key) = (Arc::clone(context), work.index, work.key);
    let (inputs, preimage) = (work.inputs.clone(), work.preimage.clone());
    blocking(move || prepare(&context, index, &key, &inputs, &preimage)).await
}

fn prepare(
    context: &Context,
    index: usize,
    key: &Key,
    inputs: &BTreeMap<String, Record>,
    preimage: &[u8],
) -> Result<Prepared, NodeError> {
    let node = context.node(index);
    let job = Job::prepare(&context.store, key, node, inputs, &context.plan.sources)?;
    let log = node_directory(&context.directory, &node.name);
    std::fs::create_dir_all(&log).map_err(io_error("create", &log))?;
    Ok(Prepared { job, log, reason: reason(context, index, preimage) })
}

/// What the plan said, where it knew; else in what the node differs from its last record, now that its inputs are there.
fn reason(context: &Context, index: usize, preimage: &[u8]) -> Option<String> {
    let planned = &context.plan.nodes[index];
    if planned.state == State::Run && planned.key.is_some() {
        return Some(planned.reason.clone());
    }
    context.difference(index, preimage)
}

/// Whatever came of the process, its inputs are looked at; what it wrote is taken in if all is well.
async fn finish(
    context: &Arc<Context>,
    work: &Work,
    job: Job,
    ended: Result<Report, NodeError>,
    started: Instant,
) -> Result<Fresh, NodeError> {
    let (context, index) = (Arc::clone(context), work.index);
    let (key, preimage, inputs) = (work.key, work.preimage.clone(), work.inputs.clone());
    let threads = work.need.threads;
    blocking(move || {
        job.check_inputs(&context.store)?;
        let report = ended?;
        let node = context.node(index);
        check_output(&job, node, &report)?;
        job.check_files(&context.store)?;
        let meta = made(&context, node, inputs, report, &job, threads, started.elapsed().as_secs_f64());
        let meta = serde_json::to_value(meta).expect("what is told of a record has only text for names");
        job.discard_all_but_output();
        let made = Yield { index, key: &key, preimage: &preimage, out: &job.out(), meta: &meta };
        let unfiled = made.unfiled(&context)?;
        Ok(Fresh { key, preimage, meta, unfiled, job })
    })
    .await
}

/// Publishes what an earlier run could not.
fn finished_before(context: &Context, index: usize, key: &Key, preimage: &[u8]) -> Result<Option<Record>, NodeError> {
    let Some(Finished { out, meta }) = finished::find(&context.store, key)? else { return Ok(None) };
    let text = "an earlier run had finished it and could not keep it, which is done now";
    context.emit(Event::message(context.name(index), Level::Info, text));
    Yield { index, key, preimage, out: &out, meta: &meta }.publish(context).map(Some)
}

fn check_output(job: &Job, node: &Node, report: &Report) -> Result<(), NodeError> {
    let state = job.output_state().map_err(|source| NodeError::System { doing: "read what it wrote", source })?;
    let place = if matches!(node.kind, Kind::Command(_)) { "$FLOW_OUT" } else { "its output directory" };
    match state {
        Output::There => Ok(()),
        Output::Nothing => Err(NodeError::WroteNothing { place, output: report.output.clone() }),
        Output::Replaced => Err(NodeError::OutputReplaced),
    }
}

fn made(
    context: &Context,
    node: &Node,
    inputs: BTreeMap<String, Record>,
    report: Report,
    job: &Job,
    threads: usize,
    seconds: f64,
) -> Made {
    let mut said = report.said;
    said.show.retain(|path| job.out().join(path).is_file());
    said.driver = report.device.as_deref().filter(|device| device.starts_with("cuda")).and_then(|_| driver());
    let provenance = Provenance {
        kind: node.kind.name().to_owned(),
        output: node.kind.output(),
        pipeline: context.pipeline.name.clone(),
        node: node.name.clone(),
        run: context.run.clone(),
        inputs: inputs.into_iter().map(|(port, record)| (port, record.key)).collect(),
        device: report.device,
        libtorch: report.libtorch,
        worker: report.worker.unwrap_or_else(|| VERSION.to_owned()),
        threads,
        seconds,
        memory: report.memory,
        told: report.told,
        finished: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
    };
    Made { provenance, said }
}

/// The first line of what NVIDIA's driver says of itself.
fn driver() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    text.lines().next().map(str::to_owned)
}
