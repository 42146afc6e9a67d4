//! What the consistency losses of several kinds share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Positive;

/// How far apart two points are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Distance {
    /// Mean squared difference.
    Mse,
    /// Pseudo-Huber √(d² + c²) − c with this c, on each value.
    Huber(Positive),
}

/// How much each sample of a consistency loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weighting {
    /// All alike: long jumps, which multiply the network's errors, count most. Best for few segments' first steps.
    Uniform,
    /// By 1 over how much the jump multiplies the network's output: long and short jumps count alike, which keeps
    /// 4 and 8 steps tight.
    Jump,
}

/// Which network makes the consistency target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Target {
    /// The moving average of the student (`ema` is its decay).
    Ema,
    /// The student itself, without gradient.
    StopGrad,
}

pub(super) fn huber() -> Distance {
    Distance::Huber(Positive::new(1e-3).expect("in range"))
}
