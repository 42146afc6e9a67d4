//! What all segmentation networks have in common.

use tch::Tensor;

/// A network that says of each pixel whether it belongs to the object.
pub trait Segment: std::fmt::Debug {
    /// Channels of the pictures that it sees.
    fn channels(&self) -> i64;

    /// Pictures (b, channels, h, w) of any size in [−1, 1] → logits (b, 1, h, w) in float32, with gradient. Above 0 a pixel
    /// rather belongs to the object than not.
    fn logits(&self, pictures: &Tensor) -> Tensor;
}
