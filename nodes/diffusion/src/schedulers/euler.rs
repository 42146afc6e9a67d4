//! Euler's method in σ-space: samples are x0 + σ ε, of unbounded size, scaled before the model sees them.
//!
//! Karras et al. 2022, algorithm 2 without churn, as diffusers' `EulerDiscreteScheduler`.

use super::{NoiseSchedule, PredictionType, TimestepSpacing};
use tch::Tensor;

/// σ at each (possibly fractional) timestep by linear interpolation, and a final 0.
pub(super) fn sigmas(schedule: &NoiseSchedule, timesteps: &[f64]) -> Vec<f64> {
    let all = schedule.sigmas();
    timesteps.iter().map(|&t| f64::from(interpolate(&all, t) as f32)).chain([0.0]).collect()
}

fn interpolate(values: &[f64], at: f64) -> f64 {
    let below = at.floor();
    let left = values[below as usize];
    let right = values[(below as usize + 1).min(values.len() - 1)];
    left + (at - below) * (right - left)
}

/// The size of the first sample: standard normal noise is multiplied by this.
pub(super) fn initial_sigma(sigmas: &[f64], spacing: TimestepSpacing) -> f64 {
    let largest = sigmas[0];
    match spacing {
        TimestepSpacing::Leading => (largest * largest + 1.0).sqrt(),
        TimestepSpacing::Trailing | TimestepSpacing::Linspace => largest,
    }
}

/// What the model is given for a sample at `sigma`: of variance 1.
pub(super) fn model_input(x: &Tensor, sigma: f64) -> Tensor {
    x / (sigma * sigma + 1.0).sqrt()
}

/// One step from `sigma` to `next`, both in σ-space.
pub(super) fn step(kind: PredictionType, output: &Tensor, x: &Tensor, sigma: f64, next: f64) -> Tensor {
    let variance = sigma * sigma + 1.0;
    let x0 = match kind {
        PredictionType::Sample => output.shallow_clone(),
        PredictionType::Epsilon => x - output * sigma,
        PredictionType::VPrediction => output * (-sigma / variance.sqrt()) + x / variance,
    };
    let derivative = (x - x0) / sigma;
    x + derivative * (next - sigma)
}
