//! Where the worker is, and what it can do.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use hyper_flow_cache::{Digest, Store};
use hyper_flow_spec::{Description, Device, Kind, PROTOCOL, VERSION};
use miette::Diagnostic;

use crate::error::Failure;
use crate::pipeline::Settings;
use crate::run::describe::{self, Unanswered};
use crate::run::{Guard, Stop};

const NAME: &str = "hyper-flow-worker";
const VARIABLE: &str = "HYPER_FLOW_WORKER";

/// Why there is no worker to use.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum WorkerError {
    /// It is nowhere.
    #[error("there is no {NAME} beside `{}` or on the path, and nodes of the kinds other than `Command` run in it", engine.display())]
    #[diagnostic(help(
        "build it: `make` (which also brings libtorch), or `cargo build --workspace`; or say where it is: {VARIABLE}"
    ))]
    Missing {
        /// The executable of the engine.
        engine: PathBuf,
    },
    /// The variable names something else.
    #[error("{VARIABLE} is `{}`, which is no file", path.display())]
    #[diagnostic(help("set it to the path of {NAME}, or unset it to have the one beside the engine"))]
    NoFile {
        /// Its value.
        path: PathBuf,
    },
    /// It does not start, or does not describe itself.
    #[error("`{} describe` failed: {why}", path.display())]
    #[diagnostic(help("build it anew: `make`, or `cargo build --workspace`"))]
    Broken {
        /// The worker.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The user stopped the run before it had answered.
    #[error("interrupted")]
    Interrupted,
    /// It was built from another version.
    #[error("`{}` is of version {found}, and this engine of version {VERSION} (protocol {PROTOCOL})", path.display())]
    #[diagnostic(help("build both from one version: `make`, or `cargo build --workspace`"))]
    Version {
        /// The worker.
        path: PathBuf,
        /// Its version and protocol.
        found: String,
    },
    /// A node wants a GPU that is not there.
    #[error("there is no GPU {index} for `device: Cuda({index})`: the worker sees {seen}")]
    #[diagnostic(help("use `device: Auto`, or look why the driver does not show it (`nvidia-smi`)"))]
    NoGpu {
        /// The GPU's number.
        index: u32,
        /// How many there are.
        seen: usize,
    },
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Failure {
        Failure::user(error)
    }
}

/// Finds the worker: the file that `HYPER_FLOW_WORKER` names, else beside the engine, else on the path.
pub fn find() -> Result<PathBuf, WorkerError> {
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { Err(WorkerError::NoFile { path }) };
    }
    let engine = std::env::current_exe().unwrap_or_default();
    let file = format!("{NAME}{}", std::env::consts::EXE_SUFFIX);
    let beside = engine.parent().map(|folder| folder.join(&file));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(&file));
    beside.into_iter().chain(on_path).find(|path| path.is_file()).ok_or(WorkerError::Missing { engine })
}

/// What the worker says of itself, checked to be of this version. It is asked once for each worker file,
/// driver and processor, because it takes a while to start; the store remembers the answer.
pub fn describe(worker: &Path, store: &Store) -> Result<Description, WorkerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| WorkerError::Broken { path: worker.to_owned(), why: error.to_string() })?;
    let guard = Guard::new(describe::GRACE);
    runtime.block_on(describe_during(worker, store, &guard, Stop::never()))
}

/// The same during a run.
pub(crate) async fn describe_during(
    worker: &Path,
    store: &Store,
    guard: &Guard,
    stop: Stop,
) -> Result<Description, WorkerError> {
    let stamp = stamp(worker);
    if let Some(description) = remembered(store, &stamp) {
        return Ok(description);
    }
    let answer = describe::ask(worker, guard, stop).await.map_err(|unanswered| match unanswered {
        Unanswered::Interrupted => WorkerError::Interrupted,
        Unanswered::Failed(why) => WorkerError::Broken { path: worker.to_owned(), why },
    })?;
    let description = understand(worker, &answer)?;
    remember(store, &stamp, &description);
    Ok(description)
}

/// The class of the device that a node of this kind, with these settings, computes on: where equal keys give equal bytes.
pub fn class(description: &Description, kind: &Kind, settings: &Settings) -> Result<String, WorkerError> {
    let gpu = |index: u32| description.gpus.get(index as usize);
    let device = match settings.device {
        _ if !kind.computes_on_gpu() => None,
        Device::Cpu => None,
        Device::Auto => gpu(0),
        Device::Cuda(index) => Some(gpu(index).ok_or(WorkerError::NoGpu { index, seen: description.gpus.len() })?),
    };
    let device = match device {
        Some(gpu) => format!("{gpu}x1"),
        None => format!("{}x{}", description.cpu, threads(settings)),
    };
    Ok(format!("{device} libtorch {}", description.libtorch))
}

/// The threads that a node with these settings computes with: those it asks for, or the machine's cores.
pub fn threads(settings: &Settings) -> usize {
    settings.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
}

fn understand(worker: &Path, answer: &[u8]) -> Result<Description, WorkerError> {
    let broken = |why: String| WorkerError::Broken { path: worker.to_owned(), why };
    let said: serde_json::Value =
        serde_json::from_slice(answer).map_err(|error| broken(format!("its answer is no JSON: {error}")))?;
    if said["worker"] != VERSION || said["protocol"] != PROTOCOL {
        let found = format!("{} (protocol {})", said["worker"].as_str().unwrap_or("unknown"), said["protocol"]);
        return Err(WorkerError::Version { path: worker.to_owned(), found });
    }
    serde_json::from_value(said).map_err(|error| broken(format!("its answer is not understood: {error}")))
}

fn remembered(store: &Store, stamp: &Digest) -> Option<Description> {
    serde_json::from_slice(&store.memo(stamp).ok()??).ok()
}

/// Where the store cannot be written the worker is asked again next time, so that a failure here is none.
fn remember(store: &Store, stamp: &Digest, description: &Description) {
    let answer = serde_json::to_vec(description).expect("a description has only text for names");
    if let Err(error) = store.set_memo(stamp, &answer) {
        tracing::debug!(%error, "the worker's description is not remembered");
    }
}

/// Everything that could change the worker's answer, or what this engine makes of it.
fn stamp(worker: &Path) -> Digest {
    let metadata = std::fs::metadata(worker).ok();
    let modified = metadata.as_ref().and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let variable = |name: &str| std::env::var_os(name).map(|value| value.as_encoded_bytes().to_vec());
    let seen = (
        (VERSION, PROTOCOL),
        worker,
        metadata.map(|m| m.len()),
        modified.map(|time| time.as_nanos().to_string()),
        ["ATEN_CPU_CAPABILITY", "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"].map(variable),
        std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default(),
        processor(),
    );
    Digest::of(format!("{seen:?}").as_bytes())
}

/// The model and abilities of the processor, where the system tells: a store may be shared by machines.
fn processor() -> Vec<String> {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = told.split("\n\n").next().unwrap_or_default().lines();
    first
        .filter(|line| ["model name", "flags", "Features"].iter().any(|name| line.starts_with(name)))
        .map(str::to_owned)
        .collect()
}
