//! Grids of few timesteps, in descending order, exactly as diffusers computes them.

use super::TimestepSpacing;
use crate::DiffusionError;

/// The timesteps of DDIM and Euler for `steps` steps of a schedule of `train` timesteps.
///
/// They are real numbers because diffusers' Euler visits fractions when spaced by `Linspace`; otherwise, and whenever
/// `round` is set (DDIM), they are whole. `offset` is added to a leading grid only.
///
/// Diffusers' trailing grid has a spurious timestep −1 at the end for a few step counts (61, 103, …), where its
/// accumulated float error reaches the end early. That one is left out here.
///
/// # Errors
/// [`DiffusionError::Config`] if `steps` is not in `1..=train`, or the offset leads out of the schedule.
pub fn timesteps(
    spacing: TimestepSpacing,
    train: i64,
    steps: usize,
    offset: i64,
    round: bool,
) -> Result<Vec<f64>, DiffusionError> {
    if steps == 0 || steps as i64 > train {
        return Err(out_of_range(steps, train, "training timesteps"));
    }
    let grid = match spacing {
        TimestepSpacing::Leading => leading(train, steps, offset),
        TimestepSpacing::Trailing => trailing(train, steps),
        TimestepSpacing::Linspace => linspace(train, steps, round),
    };
    if grid[0] >= train as f64 {
        let message = format!("{offset} moves a leading grid of {steps} steps past the last timestep {}", train - 1);
        return Err(DiffusionError::Config { what: "steps_offset".into(), message });
    }
    Ok(grid)
}

/// The timesteps of TCD and LCM: `steps` evenly spaced points of the grid of `original` points that a consistency model
/// is distilled on (50 in the published schedulers), last timestep first.
///
/// # Errors
/// [`DiffusionError::Config`] if `steps` is not in `1..=original`, or `original` not in `1..=train`.
pub fn consistency_timesteps(train: i64, original: usize, steps: usize) -> Result<Vec<i64>, DiffusionError> {
    if original == 0 || original as i64 > train {
        return Err(out_of_range(original, train, "training timesteps"));
    }
    if steps == 0 || steps > original {
        return Err(out_of_range(steps, original as i64, "points of the distillation grid"));
    }
    let skip = train / original as i64;
    let stride = original as f64 / steps as f64;
    // Counted from the last point: index i is the point `original − ⌊i·stride⌋`.
    Ok((0..steps).map(|i| (original as i64 - (i as f64 * stride).floor() as i64) * skip - 1).collect())
}

fn leading(train: i64, steps: usize, offset: i64) -> Vec<f64> {
    let ratio = train / steps as i64;
    (0..steps as i64).rev().map(|i| (i * ratio + offset) as f64).collect()
}

fn trailing(train: i64, steps: usize) -> Vec<f64> {
    let (last, ratio) = (train as f64, train as f64 / steps as f64);
    // numpy's arange multiplies the difference of its first two values, which is `−ratio` but for its rounding.
    let difference = (last - ratio) - last;
    (0..steps).map(|i| (last + i as f64 * difference).round_ties_even() - 1.0).collect()
}

fn linspace(train: i64, steps: usize, round: bool) -> Vec<f64> {
    let last = (train - 1) as f64;
    let ratio = last / (steps.max(2) - 1) as f64;
    let exact = |i: usize| if i > 0 && i == steps - 1 { last } else { i as f64 * ratio };
    (0..steps).rev().map(|i| if round { exact(i).round_ties_even() } else { f64::from(exact(i) as f32) }).collect()
}

fn out_of_range(steps: usize, most: i64, of: &str) -> DiffusionError {
    DiffusionError::Config { what: "steps".into(), message: format!("{steps} is not in 1..={most} {of}") }
}
