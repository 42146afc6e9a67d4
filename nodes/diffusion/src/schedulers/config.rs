//! `scheduler_config.json` as diffusers writes it.

use super::class::fill_in;
use crate::DiffusionError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The name of the file inside a `scheduler/` folder.
const FILE: &str = "scheduler_config.json";

/// How betas go from `beta_start` to `beta_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Evenly spaced (Ho et al. 2020).
    Linear,
    /// Evenly spaced square roots (latent diffusion, Stable Diffusion).
    ScaledLinear,
    /// From a squared-cosine ᾱ, each beta at most 0.999 (Nichol and Dhariwal 2021); start and end are not used.
    SquaredcosCapV2,
}

/// What the model's output stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise ε.
    Epsilon,
    /// The velocity v = α ε − σ x0 (Salimans and Ho 2022).
    VPrediction,
    /// The clean sample x0.
    Sample,
}

/// How a grid of few timesteps lies in the training timesteps (Lin et al. 2023, table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// From 0 (plus `steps_offset`) upwards: the last timestep is never visited.
    Leading,
    /// From the last timestep downwards: 0 is never visited.
    Trailing,
    /// Both ends are visited.
    Linspace,
}

/// The fields of a diffusers scheduler that say how noise is added and what the model predicts.
///
/// Fields that only choose another sampler (`skip_prk_steps`, `use_karras_sigmas`, …) are not read: samplers are chosen
/// where one samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// The Python class that opens the file.
    #[serde(rename = "_class_name")]
    pub class_name: String,
    /// Number of training timesteps, T.
    pub num_train_timesteps: i64,
    /// The first beta.
    pub beta_start: f64,
    /// The last beta.
    pub beta_end: f64,
    /// How betas go from the first to the last.
    pub beta_schedule: BetaSchedule,
    /// The betas themselves, instead of the three fields before.
    pub trained_betas: Option<Vec<f64>>,
    /// Whether the predicted x0 is clamped. Only `false` is supported.
    pub clip_sample: bool,
    /// Whether the last step of DDIM goes to ᾱ = 1 instead of ᾱ_0.
    pub set_alpha_to_one: bool,
    /// Added to the timesteps of [`TimestepSpacing::Leading`].
    pub steps_offset: i64,
    /// What the model predicts.
    pub prediction_type: PredictionType,
    /// Whether the predicted x0 is clamped by quantile. Only `false` is supported.
    pub thresholding: bool,
    /// How diffusers' own sampler spaces its timesteps.
    pub timestep_spacing: TimestepSpacing,
    /// Whether betas are rescaled so that nothing of x0 is left at the last timestep (Lin et al. 2023, algorithm 1).
    pub rescale_betas_zero_snr: bool,
}

impl Default for SchedulerConfig {
    /// Diffusers' defaults of `DDIMScheduler` (which clips; see [`SchedulerConfig::stable_diffusion`]).
    fn default() -> Self {
        Self {
            class_name: "DDIMScheduler".into(),
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            clip_sample: true,
            set_alpha_to_one: true,
            steps_offset: 0,
            prediction_type: PredictionType::Epsilon,
            thresholding: false,
            timestep_spacing: TimestepSpacing::Leading,
            rescale_betas_zero_snr: false,
        }
    }
}

impl SchedulerConfig {
    /// Stable Diffusion's noise schedule, sampled by DDIM with trailing timesteps.
    pub fn stable_diffusion(prediction_type: PredictionType) -> Self {
        Self {
            beta_start: 0.00085,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            clip_sample: false,
            set_alpha_to_one: false,
            steps_offset: 1,
            prediction_type,
            timestep_spacing: TimestepSpacing::Trailing,
            ..Self::default()
        }
    }

    /// Reads `scheduler_config.json` of a `scheduler/` folder, whichever scheduler class wrote it.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] for a malformed file or an unsupported value.
    pub fn read(folder: &Path) -> Result<Self, DiffusionError> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
        let wrong = |message: String| DiffusionError::Config { what: path.display().to_string(), message };
        let mut fields = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        fill_in(&mut fields).map_err(wrong)?;
        let config: Self = serde_json::from_value(Value::Object(fields)).map_err(|e| wrong(e.to_string()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// Writes `scheduler_config.json` into a folder, for `DDIMScheduler.from_pretrained` and its like.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), DiffusionError> {
        let path = folder.join(FILE);
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| DiffusionError::Config { what: FILE.into(), message: e.to_string() })?;
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
        std::fs::write(&path, json + "\n").map_err(io("write", &path))
    }

    /// Says what of this is not supported or makes no sense.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.clip_sample || self.thresholding {
            return Err("clip_sample and thresholding must be false: samples are not clamped here".into());
        }
        if self.num_train_timesteps < 1 {
            return Err(format!("num_train_timesteps must be at least 1, not {}", self.num_train_timesteps));
        }
        if self.rescale_betas_zero_snr && self.prediction_type == PredictionType::Epsilon {
            return Err(
                "rescale_betas_zero_snr leaves no x0 at the last timestep, where epsilon cannot give one back: set \
                 \"prediction_type\": \"v_prediction\" if the model was trained so, else \"rescale_betas_zero_snr\": false"
                    .into(),
            );
        }
        Ok(())
    }
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> DiffusionError + 'a {
    move |source| DiffusionError::Io { action, path: path.to_owned(), source }
}
