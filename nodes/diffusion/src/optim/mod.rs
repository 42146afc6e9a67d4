//! AdamW over plain tensors with a state that can be saved, learning-rate schedules, clipping and averaging.

mod adamw;
mod average;
mod clip;
mod flat;
mod schedule;

pub use adamw::{AdamW, AdamWConfig};
pub use average::Average;
pub use clip::gradient_norm;
pub use schedule::{Decay, LrSchedule};
