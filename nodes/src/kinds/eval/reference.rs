//! What the others' trajectories are measured to.

use tch::{Device, Tensor};

use super::subject::{Easel, Subject};
use crate::NodeError;

/// What the teacher draws in many steps.
pub(super) struct Reference<'a> {
    pub(super) subject: Subject<'a>,
    /// Samples of each batch, not pictures: a latent model's are a fiftieth of the size.
    samples: Vec<Tensor>,
}

impl<'a> Reference<'a> {
    pub(super) fn draw(easel: &Easel<'_>) -> Result<Self, NodeError> {
        let subject = Subject::teacher(easel.reference_steps());
        let samples = |batch| Ok(easel.samples(&subject, batch)?.to_device(Device::Cpu));
        let samples = (0..easel.batches()).map(samples).collect::<Result<_, NodeError>>()?;
        Ok(Self { subject, samples })
    }

    /// The pictures of a batch.
    pub(super) fn pictures(&self, easel: &Easel<'_>, batch: usize) -> Result<Tensor, NodeError> {
        easel.pictures(&self.subject, &self.samples[batch])
    }
}
