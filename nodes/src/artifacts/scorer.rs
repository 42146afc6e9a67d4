//! A score with the captions of a dataset.

use std::path::Path;

use hyper_flow_diffusion::scores::{self, Captions, Score};
use tch::{Device, Kind, Tensor};

use crate::NodeError;

/// A frozen score that is ready to judge pictures of these captions.
#[derive(Debug)]
pub(crate) struct Scorer {
    score: Box<dyn Score>,
    captions: Captions,
}

impl Scorer {
    /// Reads a `Scorer`, `Clip` or `Classifier` artifact, to judge pictures of so many channels.
    pub(crate) fn load(
        folder: &Path,
        captions: &[String],
        channels: i64,
        kind: Kind,
        device: Device,
    ) -> Result<Self, NodeError> {
        Self::new(scores::load(folder, kind, device)?, captions, channels)
    }

    /// A score, to judge pictures of so many channels.
    pub(crate) fn new(score: Box<dyn Score>, captions: &[String], channels: i64) -> Result<Self, NodeError> {
        check_channels(&*score, channels)?;
        Ok(Self { captions: score.captions(captions)?, score })
    }

    /// Pictures (b, c, h, w) in [−1, 1] and the positions of their captions (b) → scores (b). With gradient.
    pub(crate) fn score(&self, pictures: &Tensor, captions: &Tensor) -> Tensor {
        self.score.score(pictures, &self.captions.select(captions))
    }

    /// Pictures as above → what the score sees of them (b, n), whatever the caption.
    pub(crate) fn features(&self, pictures: &Tensor) -> Tensor {
        self.score.features(pictures)
    }
}

/// That a score sees pictures of so many channels.
pub(crate) fn check_channels(score: &dyn Score, channels: i64) -> Result<(), NodeError> {
    let own = score.channels();
    if own == channels {
        return Ok(());
    }
    Err(NodeError::Unfit(format!(
        "the score sees pictures of {own} channels, not of {channels}; choose one that was trained on such pictures"
    )))
}
