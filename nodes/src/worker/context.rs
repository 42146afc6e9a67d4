//! What every kind works with.

use std::path::{Path, PathBuf};

use hyper_flow_spec::{ArtifactType, Event, File, Job, JobError, Ref};
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

    /// Reports the most memory so far, where the system tells it.
    pub(crate) fn report_memory(&self) {
        memory::peak(self.device).into_iter().for_each(|memory| self.reporter.event(&Event::Memory(memory)));
    }

    /// A file of the artifact.
    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.job.output.join(name)
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.job.seed
    }
}
