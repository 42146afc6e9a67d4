//! Learning rates over a run, as the functions of `diffusers.optimization` with the same warm-up and length.

use std::f64::consts::PI;

/// How the learning rate goes down after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// It does not.
    Constant,
    /// Evenly to 0.
    Linear,
    /// Half a cosine, to 0.
    Cosine,
}

/// A factor on the learning rate: linear warm-up from 0, then decay that ends at step `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LrSchedule {
    /// Steps of warm-up.
    pub warmup: u64,
    /// Steps in total.
    pub steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
}

impl LrSchedule {
    /// The factor of `step`, counted from 0. With a warm-up the factor of step 0 is 0, as in diffusers.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let length = self.steps.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / length as f64).min(1.0);
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
        }
    }
}
