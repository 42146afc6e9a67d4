//! Nodes of all other kinds: a worker process each, told by a file, heard by lines.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_flow_cache::Key;
use hyper_flow_spec::{Device, Event as Said, Job, Kind, Level, PROTOCOL};
use tokio::io::{AsyncRead, BufReader};
use tokio::task::JoinHandle;

use super::attempt::{Attempt, Report};
use super::capture::{Capture, LogFile};
use super::command::how;
use super::context::{Context, blocking};
use super::error::NodeError;
use super::event::Event;
use super::lines;
use super::log::{io_error, write_json};
use super::process::{End, Process, at_most};
use super::{exactness, going_on, gpus};
use crate::tensorboard::{Curve, Source};

/// After that many lines that are no events, the rest of them goes only to the log.
const STRAY_LINES: usize = 100;
/// Messages of a worker that the record keeps.
const TOLD: usize = 50;
/// How long to wait for the end of the events when the worker is gone.
const LINGER: Duration = Duration::from_secs(2);

/// Runs the node in a worker.
pub(super) async fn run(attempt: &Attempt<'_>) -> Result<Report, NodeError> {
    exactness::check_grant(attempt)?;
    let worker = attempt.context.worker().await?;
    write_job(attempt)?;
    let mut process = start(attempt, &worker)?;
    // The worker stops, with a checkpoint, when this closes: so it never outlives the engine.
    let stdin = process.child.stdin.take();
    let stderr =
        process.child.stderr.take().map(|stream| Capture::of(stream, LogFile::new(attempt.log.join("stderr.log"))));
    let ears = process.child.stdout.take().map(|stream| Ears::on(attempt, stream));
    let end = process.wait(attempt.limits(), attempt.context.stop.clone()).await;
    let end = end.map_err(|source| NodeError::System { doing: "wait for the worker", source })?;
    drop((process, stdin));
    let heard = match ears {
        Some(ears) => ears.end().await,
        None => Heard::default(),
    };
    let output = match stderr {
        Some(capture) => capture.end().await,
        None => None,
    };
    let report = conclude(end, heard, output)?;
    exactness::check_report(attempt, &report)?;
    Ok(report)
}

fn conclude(end: End, heard: Heard, output: Option<String>) -> Result<Report, NodeError> {
    let checkpoint = heard.checkpoint;
    let stopped = matches!(end, End::Stopped(_));
    match end {
        End::Exited(status) | End::Stopped(status) if status.success() && !heard.interrupted => {
            Ok(Report { output, ..heard.report })
        }
        _ if stopped => Err(NodeError::Interrupted { checkpoint }),
        End::TimedOut(limit) => Err(NodeError::TimedOut { limit, output, checkpoint }),
        End::Exited(_) if heard.interrupted => {
            let what = "the worker was asked to stop, and not by this run".to_owned();
            Err(NodeError::Ended { what, output, checkpoint })
        }
        End::Exited(status) | End::Stopped(status) => {
            let what = heard.error.unwrap_or_else(|| how(status));
            Err(if heard.out_of_memory {
                NodeError::OutOfMemory { what, output, checkpoint }
            } else {
                NodeError::Ended { what, output, checkpoint }
            })
        }
    }
}

fn write_job(attempt: &Attempt<'_>) -> Result<(), NodeError> {
    let node = attempt.node;
    let samples = attempt.samples();
    std::fs::create_dir_all(&samples).map_err(io_error("create", &samples))?;
    let job = Job {
        protocol: PROTOCOL,
        kind: as_job(&node.kind),
        inputs: attempt.job.inputs().map(|(port, path)| (port.to_owned(), path.to_owned())).collect(),
        files: attempt.job.files().clone(),
        output: attempt.job.out(),
        scratch: going_on::scratch(attempt)?,
        log: samples,
        device: device(attempt.gpus),
        threads: attempt.threads,
        seed: attempt.seed(),
        sample_every: node.settings.sample_every,
        checkpoint_seconds: node.settings.checkpoint_seconds,
        course: attempt.course.map(|course| course.to_string()),
        exact: attempt.context.pipeline.exact,
    };
    let path = attempt.job.file();
    Ok(write_json(&path, &job).map_err(io_error("write", &path))?)
}

/// The kind with ports in the place of names: a worker never learns what nodes and files are called.
fn as_job(kind: &Kind) -> Kind {
    Kind::from_json(kind.name(), kind.value().to_job()).expect("parameters of a checked node are read back")
}

/// The GPU that a job is given is the first that its worker sees. One that is given and cannot be used is an error there:
/// nobody must wait for a CPU who counts on a GPU.
fn device(gpus: &[String]) -> Device {
    if gpus.is_empty() { Device::Cpu } else { Device::Cuda(0) }
}

fn start<'a>(attempt: &Attempt<'a>, worker: &Path) -> Result<Process<'a>, NodeError> {
    let mut command = tokio::process::Command::new(worker);
    command
        .arg("run")
        .arg(attempt.job.file())
        .current_dir(attempt.job.work())
        // OpenMP makes its threads before anybody can tell libtorch how many are wanted.
        .env("OMP_NUM_THREADS", attempt.threads.to_string())
        // Threads that wait by spinning take the cores from each other as soon as anything else runs on the machine.
        .env("OMP_WAIT_POLICY", std::env::var_os("OMP_WAIT_POLICY").unwrap_or_else(|| "passive".into()))
        .env("CUDA_VISIBLE_DEVICES", attempt.gpus.join(","))
        .envs([gpus::order()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if attempt.context.pipeline.exact {
        // Without it NVIDIA's products may differ from run to run.
        command.env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    }
    let program = worker.display().to_string();
    Process::spawn(&mut command, attempt).map_err(|source| NodeError::Start { program, source })
}

/// What was heard of a worker.
#[derive(Debug, Default)]
struct Heard {
    report: Report,
    checkpoint: Option<u64>,
    interrupted: bool,
    out_of_memory: bool,
    error: Option<String>,
    stray: usize,
}

impl Heard {
    fn take(&mut self, event: &Said) {
        match event {
            Said::Started { device, libtorch, worker } => {
                self.report.device = Some(device.clone());
                self.report.libtorch = Some(libtorch.clone());
                self.report.worker = Some(worker.clone());
            }
            Said::Checkpoint { step } | Said::Resumed { step } => self.checkpoint = Some(*step),
            Said::Interrupted { step } => {
                self.interrupted = true;
                self.checkpoint = (*step > 0).then_some(*step);
            }
            Said::OutOfMemory {} => self.out_of_memory = true,
            Said::Memory(memory) => self.report.memory = Some(*memory),
            Said::Metric { name, value } => drop(self.report.said.metrics.insert(name.clone(), *value)),
            Said::Show { path } => self.report.said.show.push(path.to_string_lossy().into_owned()),
            Said::Message { level: Level::Error, text } => self.error = Some(text.clone()),
            Said::Message { text, .. } if self.report.told.len() < TOLD => self.report.told.push(text.clone()),
            Said::Step { .. }
            | Said::Norms { .. }
            | Said::Progress { .. }
            | Said::Sample { .. }
            | Said::Message { .. } => {}
        }
    }
}

/// Listens to a worker's standard output.
struct Ears {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Ears {
    fn on(attempt: &Attempt<'_>, stream: impl AsyncRead + Unpin + Send + 'static) -> Ears {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = Listener {
            context: Arc::clone(attempt.context),
            node: attempt.node.name.clone(),
            key: *attempt.key,
            log: LogFile::new(attempt.log.join("stdout.jsonl")),
            curve: curve(attempt),
            heard: Arc::clone(&heard),
        };
        let task = tokio::spawn(listener.listen(stream));
        Ears { heard, task }
    }

    async fn end(mut self) -> Heard {
        if at_most(LINGER, &mut self.task).await.is_none() {
            self.task.abort();
        }
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn curve(attempt: &Attempt<'_>) -> Curve {
    Curve::new(Source {
        run: &attempt.context.directory,
        pipeline: &attempt.context.pipeline.name,
        node: &attempt.node.name,
        kind: &attempt.node.kind,
        seed: attempt.seed(),
        samples: attempt.samples(),
        out: attempt.job.out(),
    })
}

/// All who are told what a worker says.
struct Listener {
    context: Arc<Context>,
    node: String,
    key: Key,
    log: LogFile,
    curve: Curve,
    heard: Arc<Mutex<Heard>>,
}

impl Listener {
    async fn listen(mut self, stream: impl AsyncRead + Unpin) {
        let mut stream = BufReader::new(stream);
        while let Ok(Some(mut line)) = lines::next(&mut stream).await {
            let said = understand(&line, &self.heard);
            line.push(b'\n');
            self.log.write(&line);
            if let Some(event) = said {
                self = self.plot(&event).await;
                self.context.emit(Event::Worker { node: self.node.clone(), event });
            }
        }
        self.curve.end();
    }

    /// Runs are read where a training goes on.
    async fn plot(mut self, event: &Said) -> Listener {
        match event {
            Said::Resumed { step } => {
                let step = *step;
                blocking(move || {
                    self.curve.goes_on(&self.context.store, &self.key, step);
                    self
                })
                .await
            }
            _ => {
                self.curve.take(event);
                self
            }
        }
    }
}

/// An event, or a message if the line is none: a library that prints must not look like silence.
fn understand(line: &[u8], heard: &Mutex<Heard>) -> Option<Said> {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(event) = serde_json::from_slice::<Said>(line) {
        heard.take(&event);
        return Some(event);
    }
    heard.stray += 1;
    let text: String = String::from_utf8_lossy(line).chars().take(500).collect();
    match heard.stray {
        _ if text.trim().is_empty() => None,
        count if count < STRAY_LINES => Some(Said::Message { level: Level::Info, text }),
        STRAY_LINES => {
            let text = "more lines that are no events are only in the log".to_owned();
            Some(Said::Message { level: Level::Info, text })
        }
        _ => None,
    }
}
