//! What every kind works with.

use std::path::{Path, PathBuf};

use hyper_flow_spec::{ArtifactType, File, Job, JobError, Ref};
use tch::Device;

use super::{Cancel, Reporter};

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

    /// A file of the artifact.
    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.job.output.join(name)
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.job.seed
    }
}
