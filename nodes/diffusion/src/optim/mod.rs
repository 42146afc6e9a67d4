//! AdamW over plain tensors with a state that can be saved, learning-rate schedules, clipping and averaging.

mod adamw;
mod average;
mod clip;
mod schedule;

pub use adamw::{AdamW, AdamWConfig};
pub use average::update_average;
pub use clip::{clip_gradients, gradient_norm, scale_gradients};
pub use schedule::{Decay, LrSchedule};
