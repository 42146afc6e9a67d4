//! The scheduler classes of diffusers, as far as they say how noise is added.

use serde_json::{Map, Value, json};

/// Fields that a file lacks mean what the class that wrote it means by default. A class that is not known here may make
/// something else of its betas, or have none.
pub(super) fn fill_in(fields: &mut Map<String, Value>) -> Result<(), String> {
    let class = fields.get("_class_name").and_then(Value::as_str).unwrap_or("DDIMScheduler").to_owned();
    let (spacing, clips) = match class.as_str() {
        "DDIMScheduler"
        | "DDIMInverseScheduler"
        | "DDIMParallelScheduler"
        | "DDPMScheduler"
        | "DDPMParallelScheduler" => ("leading", true),
        "LCMScheduler" | "PNDMScheduler" | "TCDScheduler" => ("leading", false),
        "DEISMultistepScheduler"
        | "DPMSolverMultistepInverseScheduler"
        | "DPMSolverMultistepScheduler"
        | "DPMSolverSinglestepScheduler"
        | "EulerAncestralDiscreteScheduler"
        | "EulerDiscreteScheduler"
        | "HeunDiscreteScheduler"
        | "KDPM2AncestralDiscreteScheduler"
        | "KDPM2DiscreteScheduler"
        | "LMSDiscreteScheduler"
        | "SASolverScheduler"
        | "UniPCMultistepScheduler" => ("linspace", false),
        _ => return Err(format!("the noise of a {class} is not known here; if it is that of a DDPMScheduler, say so")),
    };
    let (start, end, schedule) = match class.as_str() {
        "LCMScheduler" | "TCDScheduler" => (0.00085, 0.012, "scaled_linear"),
        "HeunDiscreteScheduler" | "KDPM2AncestralDiscreteScheduler" | "KDPM2DiscreteScheduler" => {
            (0.00085, 0.012, "linear")
        }
        _ => (0.0001, 0.02, "linear"),
    };
    let defaults = json!({
        "beta_start": start, "beta_end": end, "beta_schedule": schedule, "timestep_spacing": spacing,
        "clip_sample": clips, "set_alpha_to_one": class != "PNDMScheduler",
    });
    for (name, value) in defaults.as_object().into_iter().flatten() {
        fields.entry(name).or_insert_with(|| value.clone());
    }
    Ok(())
}
