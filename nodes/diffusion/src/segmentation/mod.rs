//! Frozen networks that say which pixels of a picture belong to the object in it, and what they are trained and judged by.

mod conv_segmenter;
mod folder;
mod loss;
mod overlap;
mod segment;

pub use conv_segmenter::{ConvSegmenter, ConvSegmenterConfig};
pub use folder::load;
pub use loss::{dice_loss, mask_loss};
pub use overlap::intersection_over_union;
pub use segment::Segment;
