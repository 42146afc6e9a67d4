//! Noise schedules, timestep grids and samplers, held to diffusers by fixtures.

mod class;
mod config;
mod euler;
mod grid;
mod noise;
mod sampler;
mod segments;

pub use config::{BetaSchedule, PredictionType, SchedulerConfig, TimestepSpacing};
pub use grid::{consistency_timesteps, timesteps};
pub use noise::{NoiseSchedule, Prediction, Timesteps};
pub use sampler::{Sampler, SamplingPlan};
pub use segments::{Ends, SegmentDraw, SegmentGrid};
