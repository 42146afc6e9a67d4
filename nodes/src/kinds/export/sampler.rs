//! The sampler that a model folder is drawn with.

use std::path::Path;

use hyper_flow_diffusion::schedulers::{SchedulerConfig, TimestepSpacing};
use hyper_flow_spec::kinds::Sampler;
use serde_json::{Value, json};

use crate::{NodeError, files};

/// Makes a sampler that of a model folder.
pub(super) fn set(model: &Path, sampler: Sampler) -> Result<(), NodeError> {
    let class = class(sampler);
    let folder = model.join("scheduler");
    let config = SchedulerConfig {
        class_name: class.to_owned(),
        timestep_spacing: TimestepSpacing::Trailing,
        ..SchedulerConfig::read(&folder)?
    };
    config.write(&folder)?;
    let path = model.join("model_index.json");
    let mut index: Value = files::read_json(&path)?;
    index["scheduler"] = json!(["diffusers", class]);
    files::write_json(&path, &index)
}

/// Its class in diffusers.
pub(super) fn class(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::Ddim => "DDIMScheduler",
        Sampler::Tcd(_) => "TCDScheduler",
        Sampler::Lcm => "LCMScheduler",
        Sampler::Euler => "EulerDiscreteScheduler",
    }
}
