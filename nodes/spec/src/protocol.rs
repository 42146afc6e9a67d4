//! What engine and worker say to each other: a [`Job`] goes in as a file, [`Event`]s come out as lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ArtifactType, File, Kind, Ref};

/// Changes when a worker of one version could misread a job of another.
pub const PROTOCOL: u32 = 1;

/// Where a node computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Device {
    /// A GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this index. The engine hands a job one GPU, which the worker then sees as index 0.
    Cuda(u32),
}

/// One node to run: all that a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The kind and its parameters, references holding their ports.
    pub kind: Kind,
    /// Directories of the input artifacts, by port; read-only.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Files outside the store, by port.
    pub files: BTreeMap<String, PathBuf>,
    /// The empty directory that becomes the artifact.
    pub output: PathBuf,
    /// Where checkpoints are kept; survives the process.
    pub scratch: PathBuf,
    /// Where samples of a training are written; belongs to the run, not to the artifact.
    pub log: PathBuf,
    /// Where to compute. The engine says the CPU or the GPU that it granted, never [`Device::Auto`].
    pub device: Device,
    /// Threads for computing.
    pub threads: usize,
    /// The seed, on which every random number depends.
    pub seed: u64,
    /// Steps between samples of a training; 0 draws none.
    pub sample_every: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
    /// Stands for all that the steps of a training follow from but how many there are, if they follow from nothing else: a
    /// checkpoint of a shorter training of the same course is one of this training, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<String>,
    /// Whether the same bits must come out each time: of a pipeline with `reproducibility: Exact`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
}

/// A job that names a port it does not fill.
#[derive(Debug, thiserror::Error)]
#[error("the job has no {what} for port {port}; engine and worker disagree, build both from one version")]
pub struct JobError {
    what: &'static str,
    port: String,
}

impl Job {
    /// The directory of the artifact that goes into a port.
    pub fn input<A: ArtifactType>(&self, port: &Ref<A>) -> Result<&Path, JobError> {
        find(&self.inputs, "input", port.name())
    }

    /// The file that goes into a port.
    pub fn file(&self, port: &File) -> Result<&Path, JobError> {
        find(&self.files, "file", port.path())
    }
}

fn find<'a>(paths: &'a BTreeMap<String, PathBuf>, what: &'static str, port: &str) -> Result<&'a Path, JobError> {
    paths.get(port).map(PathBuf::as_path).ok_or_else(|| JobError { what, port: port.to_owned() })
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Why the node failed.
    Error,
}

/// The most memory that a worker has had. It says nothing of the artifact, and is in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes of the machine's: the high-water mark of what was resident, shared libraries included.
    pub peak: u64,
    /// Bytes of the GPU's, where it computes on one: what libtorch took from the driver, of which it gives nothing back. The
    /// driver's own share, some hundred MiB, is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<u64>,
}

/// The memory that a worker holds while it trains. It says nothing of the artifact, and is in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Bytes of the machine's that are resident, shared libraries included.
    pub resident: u64,
    /// Bytes of the GPU's, as [`Memory::gpu`], when it was last asked: after the first step, and at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<u64>,
}

/// One line on a worker's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker has begun: where it computes.
    Started {
        /// `cpu:avx2x2`, `cuda:sm_90(NVIDIA H200)x1`: the class in which equal keys give equal bytes.
        device: String,
        /// Version of libtorch.
        libtorch: String,
        /// Version of the worker.
        worker: String,
    },
    /// Training goes on from a checkpoint.
    Resumed {
        /// The last step that is in it.
        step: u64,
    },
    /// A training step is done.
    Step {
        /// This step, from 1.
        step: u64,
        /// All steps.
        of: u64,
        /// The loss terms by name, already weighted; `loss` is their sum.
        losses: BTreeMap<String, f64>,
        /// Samples of the batches that made the steps since the last one that was told, by all the seconds since then:
        /// those of looking, drawing and keeping too. What a critic draws beside them is not counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        speed: Option<f64>,
        /// The learning rate of this step, by optimiser: `student`, or `fake` and `student`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        lr: BTreeMap<String, f64>,
        /// The L2 norm of all gradients of an optimiser before they were clipped; of several updates in the step, that of
        /// the last, as the losses are.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        grad_norm: BTreeMap<String, f64>,
        /// What the worker holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<Held>,
    },
    /// Progress of what is not training.
    Progress {
        /// Done so far.
        done: u64,
        /// All there is.
        of: u64,
        /// Of what.
        unit: String,
    },
    /// A checkpoint is on disk.
    Checkpoint {
        /// The last step that is in it.
        step: u64,
    },
    /// How far adapters have gone from their base, told with some checkpoints: at most a hundred times in a training.
    Norms {
        /// The step after which they are this.
        step: u64,
        /// The Frobenius norm of the ΔW of each adapted module, by its path.
        norms: BTreeMap<String, f64>,
    },
    /// A picture of the adapted model was written.
    Sample {
        /// The step after which it was drawn.
        step: u64,
        /// The file, under the job's `log`.
        path: PathBuf,
    },
    /// A number worth keeping that is no loss: an accuracy, a truncation error.
    Metric {
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
    },
    /// The most memory that the worker has had so far: after a training's first step, and when all is done.
    Memory(Memory),
    /// The GPU had no room for what the node needs: the same again would end alike. A message says more.
    OutOfMemory {},
    /// Words for the user.
    Message {
        /// How much it matters.
        level: Level,
        /// One or more lines.
        text: String,
    },
    /// A picture or table that the user wants to see when the run ends.
    Show {
        /// A file of the artifact, relative to it.
        path: PathBuf,
    },
    /// The node was asked to stop, and has written a checkpoint.
    Interrupted {
        /// The last step that is in the checkpoint.
        step: u64,
    },
}

/// What `hyper-flow-worker describe` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Version of the worker.
    pub worker: String,
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Versions of the kinds that it runs.
    pub kinds: BTreeMap<String, u32>,
    /// Version of libtorch.
    pub libtorch: String,
    /// The class of the CPU, `cpu:avx512`, `cpu:avx2(bf16,fp16 in fp32)`.
    pub cpu: String,
    /// The classes of the GPUs, `cuda:sm_90(NVIDIA H200)`.
    pub gpus: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_an_older_worker_is_read_and_stays_as_it_is() {
        let old = r#"{"event":"step","step":1,"of":2,"losses":{"mse":0.5},"speed":8.0}"#;
        let event: Event = serde_json::from_str(old).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), old);
    }
}
