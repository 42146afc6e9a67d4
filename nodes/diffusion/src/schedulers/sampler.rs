//! Samplers: from noise to a sample in a number of steps, one model output a step.

use super::{NoiseSchedule, TimestepSpacing, consistency_timesteps, euler, timesteps};
use crate::DiffusionError;
use tch::Tensor;

/// The number of points of the grid that TCD and LCM choose from.
const CONSISTENCY_GRID: usize = 50;

/// How a sample is made from noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// Deterministic DDIM (Song et al. 2020), eta 0.
    Ddim {
        /// Where its timesteps lie.
        spacing: TimestepSpacing,
        /// Added to leading timesteps.
        offset: i64,
    },
    /// Strategic stochastic sampling of trajectory consistency models (Zheng et al. 2024).
    Tcd {
        /// 0 is deterministic, 1 draws all noise anew at each step.
        eta: f64,
    },
    /// Multistep consistency sampling of latent consistency models (Luo et al. 2023).
    Lcm,
    /// Euler's method over σ (Karras et al. 2022), deterministic.
    Euler {
        /// Where its timesteps lie.
        spacing: TimestepSpacing,
        /// Added to leading timesteps.
        offset: i64,
    },
}

impl Sampler {
    /// DDIM on trailing timesteps, which begin at the noisiest one.
    pub const DDIM_TRAILING: Self = Self::Ddim { spacing: TimestepSpacing::Trailing, offset: 0 };
    /// Euler on trailing timesteps.
    pub const EULER_TRAILING: Self = Self::Euler { spacing: TimestepSpacing::Trailing, offset: 0 };

    /// The timesteps of `steps` steps of a schedule of `train` timesteps, noisiest first.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a number of steps that the grid cannot give.
    pub fn timesteps(self, train: i64, steps: usize) -> Result<Vec<f64>, DiffusionError> {
        match self {
            Self::Ddim { spacing, offset } => timesteps(spacing, train, steps, offset, true),
            Self::Euler { spacing, offset } => timesteps(spacing, train, steps, offset, false),
            Self::Tcd { .. } | Self::Lcm => {
                let grid = consistency_timesteps(train, CONSISTENCY_GRID, steps)?;
                Ok(grid.into_iter().map(|t| t as f64).collect())
            }
        }
    }

    /// Fixes the schedule and the number of steps.
    ///
    /// # Errors
    /// As [`Sampler::timesteps`]; also for a TCD eta outside 0..=1.
    pub fn plan(self, schedule: &NoiseSchedule, steps: usize) -> Result<SamplingPlan<'_>, DiffusionError> {
        if let Self::Tcd { eta } = self
            && !(0.0..=1.0).contains(&eta)
        {
            return Err(DiffusionError::Config { what: "eta".into(), message: format!("{eta} is not in 0..=1") });
        }
        let timesteps = self.timesteps(schedule.train_timesteps(), steps)?;
        let sigmas = match self {
            Self::Euler { .. } => euler::sigmas(schedule, &timesteps),
            _ => Vec::new(),
        };
        Ok(SamplingPlan { sampler: self, schedule, timesteps, sigmas })
    }
}

/// The steps of one way from noise to a sample.
///
/// ```text
/// let mut x = plan.start(&noise);
/// for i in 0..plan.len() {
///     let output = model(plan.model_input(&x, i), plan.timestep(i));
///     let noise = plan.needs_noise(i).then(|| fresh());
///     x = plan.step(i, &output, &x, noise.as_ref());
/// }
/// ```
#[derive(Debug)]
pub struct SamplingPlan<'a> {
    sampler: Sampler,
    schedule: &'a NoiseSchedule,
    timesteps: Vec<f64>,
    /// Euler's σ, one more than timesteps; empty for the others.
    sigmas: Vec<f64>,
}

impl SamplingPlan<'_> {
    /// Number of steps.
    #[expect(clippy::len_without_is_empty, reason = "a plan has at least one step")]
    pub fn len(&self) -> usize {
        self.timesteps.len()
    }

    /// The timestep that the model is given at step `i`.
    pub fn timestep(&self, i: usize) -> f64 {
        self.timesteps[i]
    }

    /// All timesteps, noisiest first.
    pub fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    /// The first sample, from standard normal noise.
    pub fn start(&self, noise: &Tensor) -> Tensor {
        match self.sampler {
            Sampler::Euler { spacing, .. } => noise * euler::initial_sigma(&self.sigmas, spacing),
            _ => noise.shallow_clone(),
        }
    }

    /// What the model is given at step `i` for the sample `x`.
    pub fn model_input(&self, x: &Tensor, i: usize) -> Tensor {
        self.sigmas.get(i).map_or_else(|| x.shallow_clone(), |&sigma| euler::model_input(x, sigma))
    }

    /// Whether step `i` mixes in fresh noise.
    pub fn needs_noise(&self, i: usize) -> bool {
        let last = i + 1 == self.len();
        match self.sampler {
            Sampler::Ddim { .. } | Sampler::Euler { .. } => false,
            Sampler::Tcd { eta } => eta > 0.0 && !last,
            Sampler::Lcm => !last,
        }
    }

    /// Step `i`: from the model's output for `model_input(x, i)` to the next sample, or the finished one.
    ///
    /// # Panics
    /// If the step needs noise ([`SamplingPlan::needs_noise`]) and there is none.
    pub fn step(&self, i: usize, output: &Tensor, x: &Tensor, noise: Option<&Tensor>) -> Tensor {
        let fresh = || noise.expect("a step that needs noise is given some");
        match self.sampler {
            Sampler::Ddim { .. } => self.ddim(i, output, x),
            Sampler::Tcd { eta } => self.tcd(i, output, x, eta, fresh),
            Sampler::Lcm => self.lcm(i, output, x, fresh),
            Sampler::Euler { .. } => {
                let kind = self.schedule.prediction_type();
                euler::step(kind, output, x, self.sigmas[i], self.sigmas[i + 1])
            }
        }
    }

    /// DDIM, eq. 12 with σ = 0. As in diffusers the next timestep is `⌊T/steps⌋` below, which for a number of steps that
    /// does not divide T may lie one off the grid.
    fn ddim(&self, i: usize, output: &Tensor, x: &Tensor) -> Tensor {
        let t = self.timesteps[i] as i64;
        let next = t - self.schedule.train_timesteps() / self.len() as i64;
        self.schedule.jump(output, x, t, next)
    }

    /// TCD, algorithm 4: to `s = ⌊(1−η)·next⌋` without noise, then up to `next` with it. The last step ends at timestep 0.
    fn tcd<'n>(&self, i: usize, output: &Tensor, x: &Tensor, eta: f64, noise: impl FnOnce() -> &'n Tensor) -> Tensor {
        let t = self.timesteps[i] as i64;
        let next = self.timesteps.get(i + 1).map_or(0, |&next| next as i64);
        // Rounded as diffusers does, whose product is in float32.
        let s = ((1.0 - eta) as f32 * next as f32).floor() as i64;
        let x_s = self.schedule.jump(output, x, t, s);
        if self.needs_noise(i) { self.schedule.renoise(&x_s, noise(), s, next) } else { x_s }
    }

    /// LCM, algorithm 3: the consistency function, then noise anew.
    fn lcm<'n>(&self, i: usize, output: &Tensor, x: &Tensor, noise: impl FnOnce() -> &'n Tensor) -> Tensor {
        let denoised = self.schedule.consistency(output, x, self.timesteps[i] as i64);
        match self.timesteps.get(i + 1) {
            Some(&next) => self.schedule.add_noise(&denoised, noise(), next as i64),
            None => denoised,
        }
    }
}
