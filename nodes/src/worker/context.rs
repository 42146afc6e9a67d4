//! What every kind works with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_flow_spec::{ArtifactType, Event, File, Job, JobError, Memory, Ref};
use serde_json::json;
use tch::Device;

use super::{Cancel, Reporter, memory};
use crate::NodeError;

/// A job, where it computes, and whom it reports to.
pub(crate) struct Context {
    pub(crate) job: Job,
    pub(crate) device: Device,
    pub(crate) reporter: Reporter,
    pub(crate) cancel: Cancel,
}

impl Context {
    /// The directory of an input.
    pub(crate) fn input<A: ArtifactType>(&self, port: &Ref<A>) -> Result<&Path, JobError> {
        self.job.input(port)
    }

    /// A file outside the store.
    pub(crate) fn file(&self, port: &File) -> Result<&Path, JobError> {
        self.job.file(port)
    }

    /// Stops what is not training, and so has no checkpoint, if that is asked for.
    pub(crate) fn stop_if_asked(&self) -> Result<(), NodeError> {
        if self.cancel.requested() { Err(NodeError::Interrupted { step: 0 }) } else { Ok(()) }
    }

    /// Reports how far something that is not training has come, and stops it if that is asked for.
    pub(crate) fn progress(&self, done: usize, of: usize, unit: &str) -> Result<(), NodeError> {
        self.reporter.progress(done as u64, of as u64, unit);
        self.stop_if_asked()
    }

    /// Reports the most memory so far, where the system tells it, and gives it back.
    pub(crate) fn report_memory(&self) -> Option<Memory> {
        let memory = memory::peak(self.device)?;
        self.reporter.event(&Event::Memory(memory));
        Some(memory)
    }

    /// A file of the artifact.
    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.job.output.join(name)
    }

    /// How long to compute before the next checkpoint.
    pub(crate) fn between_checkpoints(&self) -> Duration {
        Duration::try_from_secs_f64(self.job.checkpoint_seconds).unwrap_or(Duration::MAX)
    }

    /// Stands for all that the job's result depends on, so that what is kept of one job is not taken for another's.
    pub(crate) fn identity(&self) -> String {
        let (kind, seed) = (&self.job.kind, self.job.seed);
        // The engine names this directory by the node's key, in which the contents of the inputs are.
        let name = self.job.scratch.file_name().map(|name| name.to_string_lossy());
        let all = json!([kind.name(), kind.version(), kind.value().to_key(), seed, name]);
        blake3::hash(all.to_string().as_bytes()).to_string()
    }

    /// Whose the checkpoints of a training are: what is written is the first; a version before knew no courses.
    pub(crate) fn identities(&self) -> Vec<String> {
        let course =
            self.job.course.as_ref().map(|course| blake3::hash(format!("course {course}").as_bytes()).to_string());
        course.into_iter().chain([self.identity()]).collect()
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.job.seed
    }
}
