//! The forward process x_t = α_t x0 + σ_t ε, and the deterministic jumps back along it.

use super::{BetaSchedule, PredictionType, SchedulerConfig};
use crate::DiffusionError;
use crate::computing::{computing_kind, wide};
use crate::sending::Constant;
use tch::{Device, Kind, Tensor};

/// Timesteps of a batch: one for all, or one per sample as an int64 tensor of shape (B).
///
/// A negative timestep stands for the end of a trajectory: ᾱ = `final_alpha_cumprod`, which is 1 or ᾱ_0 (the field
/// `set_alpha_to_one`). Timestep 0 is the first noisy one: ᾱ_0 < 1.
#[derive(Debug, Clone, Copy)]
pub enum Timesteps<'a> {
    /// The same for every sample.
    All(i64),
    /// One per sample.
    Each(&'a Tensor),
}

impl From<i64> for Timesteps<'_> {
    fn from(timestep: i64) -> Self {
        Self::All(timestep)
    }
}

impl<'a> From<&'a Tensor> for Timesteps<'a> {
    fn from(timesteps: &'a Tensor) -> Self {
        Self::Each(timesteps)
    }
}

/// What a model's output says about the clean sample and about the noise.
#[derive(Debug)]
pub struct Prediction {
    /// The predicted clean sample x̂0.
    pub x0: Tensor,
    /// The predicted noise ε̂.
    pub eps: Tensor,
}

/// ᾱ over the training timesteps, and what the model predicts.
///
/// All methods compute in float32 (float64 for float64 samples) and return the kind of their first tensor. Gradients
/// flow through every tensor argument.
#[derive(Debug)]
pub struct NoiseSchedule {
    /// ᾱ_final, ᾱ_0, …, ᾱ_{T−1} in float64.
    table: Constant,
    values: Vec<f64>,
    prediction_type: PredictionType,
    /// Whether ᾱ_{T−1} is 0.
    zero_terminal: bool,
}

impl NoiseSchedule {
    /// Computes ᾱ in float32 as diffusers does, and here rather than in libtorch, whose `linspace` and `sqrt` differ between
    /// CPUs in the last bit: so it is the same everywhere. It is diffusers' to the bit on a CPU with fused operations, but for
    /// `rescale_betas_zero_snr`, where its square roots are not rounded right (two units in the last place).
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for what [`SchedulerConfig`] says is not supported, or `trained_betas` of another
    /// number than `num_train_timesteps`.
    pub fn new(config: &SchedulerConfig) -> Result<Self, DiffusionError> {
        let wrong = |message| DiffusionError::Config { what: "noise schedule".into(), message };
        config.check().map_err(wrong)?;
        let betas = betas(config);
        if betas.len() as i64 != config.num_train_timesteps {
            let message = format!("[{}] trained_betas for {} timesteps", betas.len(), config.num_train_timesteps);
            return Err(wrong(message));
        }
        let betas = if config.rescale_betas_zero_snr { zero_terminal_snr(&betas) } else { betas };
        let alphas_cumprod: Vec<f64> = cumprod(&betas).into_iter().map(f64::from).collect();
        let last = if config.set_alpha_to_one { 1.0 } else { alphas_cumprod[0] };
        let values: Vec<f64> = std::iter::once(last).chain(alphas_cumprod).collect();
        let zero_terminal = config.rescale_betas_zero_snr;
        let table = Constant::new(Tensor::from_slice(&values));
        Ok(Self { table, values, prediction_type: config.prediction_type, zero_terminal })
    }

    /// Number of training timesteps, T.
    pub fn train_timesteps(&self) -> i64 {
        self.values.len() as i64 - 1
    }

    /// What the model predicts.
    pub fn prediction_type(&self) -> PredictionType {
        self.prediction_type
    }

    /// ᾱ at a timestep; for a negative one the final ᾱ.
    pub fn alpha_cumprod(&self, timestep: i64) -> f64 {
        self.values[(timestep.max(-1) + 1) as usize]
    }

    /// ᾱ_0 … ᾱ_{T−1}.
    pub fn alphas_cumprod(&self) -> &[f64] {
        &self.values[1..]
    }

    /// √((1−ᾱ)/ᾱ) of every training timestep, as Euler uses it: the last is finite even where ᾱ is 0.
    pub(super) fn sigmas(&self) -> Vec<f64> {
        let mut alphas = self.alphas_cumprod().to_vec();
        if self.zero_terminal {
            // Diffusers' choice: float16's smallest number.
            alphas[self.values.len() - 2] = (-24f64).exp2();
        }
        alphas.into_iter().map(|a| f64::from(((1.0 - a as f32) / a as f32).sqrt())).collect()
    }

    /// `α_t x0 + σ_t noise`.
    pub fn add_noise<'t>(&self, x0: &Tensor, noise: &Tensor, t: impl Into<Timesteps<'t>>) -> Tensor {
        let (alpha, sigma) = self.alpha_sigma(t.into(), x0);
        (alpha * wide(x0) + sigma * wide(noise)).to_kind(x0.kind())
    }

    /// The velocity `α_t noise − σ_t x0`.
    pub fn velocity<'t>(&self, x0: &Tensor, noise: &Tensor, t: impl Into<Timesteps<'t>>) -> Tensor {
        let (alpha, sigma) = self.alpha_sigma(t.into(), x0);
        (alpha * wide(noise) - sigma * wide(x0)).to_kind(x0.kind())
    }

    /// What a perfect model would output at `add_noise(x0, noise, t)`: the target of denoising training.
    pub fn target<'t>(&self, x0: &Tensor, noise: &Tensor, t: impl Into<Timesteps<'t>>) -> Tensor {
        match self.prediction_type {
            PredictionType::Epsilon => noise.shallow_clone(),
            PredictionType::VPrediction => self.velocity(x0, noise, t),
            PredictionType::Sample => x0.shallow_clone(),
        }
    }

    /// x̂0 and ε̂ from the model's output at `x_t`, as float32 (float64 for a float64 `x_t`).
    pub fn prediction<'t>(&self, output: &Tensor, x_t: &Tensor, t: impl Into<Timesteps<'t>>) -> Prediction {
        let (alpha, sigma) = self.alpha_sigma(t.into(), x_t);
        let (output, x) = (wide(output), wide(x_t));
        match self.prediction_type {
            PredictionType::Epsilon => Prediction { x0: (x - sigma * &output) / alpha, eps: output },
            PredictionType::Sample => Prediction { eps: (x - alpha * &output) / sigma, x0: output },
            PredictionType::VPrediction => {
                Prediction { x0: &alpha * &x - &sigma * &output, eps: alpha * output + sigma * x }
            }
        }
    }

    /// `α_s x̂0 + σ_s ε̂`: where a prediction puts the sample at timestep `s`.
    pub fn compose<'t>(&self, prediction: &Prediction, s: impl Into<Timesteps<'t>>) -> Tensor {
        self.add_noise(&prediction.x0, &prediction.eps, s)
    }

    /// Ψ(x_t, t→s): one DDIM jump (eta 0) by the model's output at (x_t, t), towards noise or away from it.
    ///
    /// A sample whose `s` equals its `t` stays as it is to the bit, with no gradient to the output.
    pub fn jump<'t>(
        &self,
        output: &Tensor,
        x_t: &Tensor,
        t: impl Into<Timesteps<'t>>,
        s: impl Into<Timesteps<'t>>,
    ) -> Tensor {
        let (t, s) = (t.into(), s.into());
        let x_s = self.compose(&self.prediction(output, x_t, t), s).to_kind(x_t.kind());
        match (t, s) {
            (Timesteps::All(t), Timesteps::All(s)) if t != s => x_s,
            _ => x_t.where_self(&column(t, x_t).eq_tensor(&column(s, x_t)), &x_s),
        }
    }

    /// LCM's consistency function f(x_t, t) = c_skip(t)·x_t + c_out(t)·x̂0 (arXiv 2310.04378, eq. 9): where the trajectory
    /// ends. At timestep 0 it is x_t itself.
    pub fn consistency<'t>(&self, output: &Tensor, x_t: &Tensor, t: impl Into<Timesteps<'t>>) -> Tensor {
        let t = t.into();
        let (skip, out) = boundary_scalings(t, x_t);
        (self.prediction(output, x_t, t).x0 * out + wide(x_t) * skip).to_kind(x_t.kind())
    }

    /// |∂f/∂output| of [`NoiseSchedule::consistency`] at one value, as [`NoiseSchedule::output_gain`].
    pub fn consistency_gain<'t>(&self, t: impl Into<Timesteps<'t>>, device: Device) -> Tensor {
        let (t, like) = (t.into(), Tensor::zeros([1], (Kind::Float, device)));
        let (alpha, sigma) = self.alpha_sigma(t, &like);
        let gain = match self.prediction_type {
            PredictionType::Epsilon => sigma / alpha,
            PredictionType::VPrediction => sigma,
            PredictionType::Sample => alpha.ones_like(),
        };
        gain * boundary_scalings(t, &like).1
    }

    /// |∂x_s/∂output| of [`NoiseSchedule::jump`] at one value, in float32 of shape (1) or (B): how much the jump t→s
    /// multiplies what the network puts out, and so its errors.
    pub fn output_gain<'t>(&self, t: impl Into<Timesteps<'t>>, s: impl Into<Timesteps<'t>>, device: Device) -> Tensor {
        let like = Tensor::zeros([1], (Kind::Float, device));
        let ((alpha_t, sigma_t), (alpha_s, sigma_s)) =
            (self.alpha_sigma(t.into(), &like), self.alpha_sigma(s.into(), &like));
        let gain = match self.prediction_type {
            PredictionType::Epsilon => sigma_s - alpha_s * sigma_t / alpha_t,
            PredictionType::VPrediction => sigma_s * alpha_t - alpha_s * sigma_t,
            PredictionType::Sample => alpha_s - sigma_s * alpha_t / sigma_t,
        };
        gain.abs()
    }

    /// Moves a sample from timestep `s` to a noisier `t` by fresh noise: `√(ᾱ_t/ᾱ_s) x_s + √(1−ᾱ_t/ᾱ_s) noise`.
    pub fn renoise<'t>(
        &self,
        x_s: &Tensor,
        noise: &Tensor,
        s: impl Into<Timesteps<'t>>,
        t: impl Into<Timesteps<'t>>,
    ) -> Tensor {
        // Where t is not noisier the ratio is capped: nothing is added.
        let ratio = (self.lookup(t.into(), x_s) / self.lookup(s.into(), x_s)).clamp_max(1.0);
        let (scale, spread) = (narrow(&ratio.sqrt(), x_s), narrow(&(-&ratio + 1.0).sqrt(), x_s));
        (scale * wide(x_s) + spread * wide(noise)).to_kind(x_s.kind())
    }

    /// (α_t, σ_t), shaped to multiply `like`.
    pub fn alpha_sigma(&self, t: Timesteps<'_>, like: &Tensor) -> (Tensor, Tensor) {
        let alpha_cumprod = self.lookup(t, like);
        (narrow(&alpha_cumprod.sqrt(), like), narrow(&(-&alpha_cumprod + 1.0).sqrt(), like))
    }

    /// ᾱ in float64, of shape (1, 1, …) or (B, 1, …), on the device of `like`.
    fn lookup(&self, t: Timesteps<'_>, like: &Tensor) -> Tensor {
        let index = column(t, like).clamp_min(-1) + 1;
        self.table.on(like.device()).take(&index)
    }
}

/// Timesteps as int64 of shape (1, 1, …) or (B, 1, …), on the device of `like`.
fn column(t: Timesteps<'_>, like: &Tensor) -> Tensor {
    let t = match t {
        Timesteps::All(t) => Tensor::full([1], t, (Kind::Int64, like.device())),
        Timesteps::Each(t) => t.to_kind(Kind::Int64),
    };
    let mut shape = vec![1; like.dim().max(1)];
    shape[0] = -1;
    t.to_device(like.device()).reshape(shape)
}

/// c_skip and c_out of LCM's consistency function, shaped to multiply `like`: σ_data 0.5, and timesteps counted tenfold, as
/// in its published scripts.
fn boundary_scalings(t: Timesteps<'_>, like: &Tensor) -> (Tensor, Tensor) {
    const DATA_VARIANCE: f64 = 0.25;
    let scaled = column(t, like).to_kind(Kind::Double) * 10.0;
    let variance = scaled.square() + DATA_VARIANCE;
    let (skip, out) = (variance.reciprocal() * DATA_VARIANCE, &scaled / variance.sqrt());
    (narrow(&skip, like), narrow(&out, like))
}

fn narrow(coefficient: &Tensor, like: &Tensor) -> Tensor {
    coefficient.to_kind(computing_kind(like.kind()))
}

fn betas(config: &SchedulerConfig) -> Vec<f32> {
    let line = |from: f64, to: f64| linspace(from as f32, to as f32, config.num_train_timesteps);
    match (&config.trained_betas, config.beta_schedule) {
        (Some(betas), _) => betas.iter().map(|&beta| beta as f32).collect(),
        (None, BetaSchedule::Linear) => line(config.beta_start, config.beta_end),
        (None, BetaSchedule::ScaledLinear) => {
            line(config.beta_start.sqrt(), config.beta_end.sqrt()).into_iter().map(|root| root * root).collect()
        }
        (None, BetaSchedule::SquaredcosCapV2) => squared_cosine(config.num_train_timesteps),
    }
}

/// `torch.linspace`, from each end to the middle and rounded once each: as libtorch computes it with fused operations.
fn linspace(from: f32, to: f32, count: i64) -> Vec<f32> {
    let step = (to - from) / (count - 1).max(1) as f32;
    let at = |i: i64| match i < (count / 2).max(1) {
        true => step.mul_add(i as f32, from),
        false => (-step).mul_add((count - 1 - i) as f32, to),
    };
    (0..count).map(at).collect()
}

fn squared_cosine(steps: i64) -> Vec<f32> {
    let alpha_bar = |t: f64| libm::cos((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).powi(2);
    let at = |i: i64| alpha_bar(i as f64 / steps as f64);
    (0..steps).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
}

/// Shifts and scales √ᾱ so that the last is 0 and the first stays (Lin et al. 2023, algorithm 1). Betas in and out.
fn zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = cumprod(betas).into_iter().map(f32::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let scale = first / (first - last);
    let mut before = 1.0;
    let beta = |root: f32| {
        let root = (root - last) * scale;
        let alpha_cumprod = root * root;
        1.0 - alpha_cumprod / std::mem::replace(&mut before, alpha_cumprod)
    };
    roots.into_iter().map(beta).collect()
}

/// ᾱ of betas: products in float64 of numbers in float32, as libtorch's.
fn cumprod(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0;
    let next = |beta: &f32| {
        product *= f64::from(1.0 - beta);
        product as f32
    };
    betas.iter().map(next).collect()
}
