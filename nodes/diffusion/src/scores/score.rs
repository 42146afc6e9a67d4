//! What all scores have in common.

use crate::DiffusionError;
use tch::Tensor;

/// Captions as a score has prepared them, a row a caption; good for the score that made them only.
#[derive(Debug)]
pub struct Captions(pub(super) Tensor);

impl Captions {
    /// The captions at these positions (n, int64), which may repeat.
    pub fn select(&self, indices: &Tensor) -> Self {
        Self(self.0.index_select(0, &indices.to_device(self.0.device())))
    }
}

/// A frozen network that says how good a picture is.
pub trait Score: std::fmt::Debug {
    /// Channels of the pictures that it sees.
    fn channels(&self) -> i64;

    /// Prepares captions, once for all the pictures that they go with.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the tokenizer has no token for a caption, not even the unknown one.
    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError>;

    /// Pictures (b, channels, h, w) in [−1, 1], each with its caption → scores (b) in float32, with gradient. Higher is
    /// better.
    fn score(&self, pictures: &Tensor, captions: &Captions) -> Tensor;

    /// Pictures as above → what it sees of them, whatever the caption (b, n), in float32: where two pictures that look
    /// alike to it are close. With gradient.
    fn features(&self, pictures: &Tensor) -> Tensor;
}
