//! `LoraFuse`: a model with LoRAs in its weights.

use hyper_flow_diffusion::lora::{Lora, concat};
use hyper_flow_spec::kinds::LoraFuse;
use tch::Device;

use crate::NodeError;
use crate::artifacts::{lora, model, rewritten};
use crate::worker::Context;

pub(super) fn run(context: &Context, params: &LoraFuse) -> Result<(), NodeError> {
    let folder = context.input(&params.model)?;
    let modules = model::lora_modules(folder)?;
    let read = |port| lora::read(context, port, &modules, Device::Cpu);
    let loras = params.loras.iter().map(|(port, weight)| Ok((read(port)?, *weight)));
    let loras = loras.collect::<Result<Vec<(Lora, f64)>, NodeError>>()?;
    let weighted: Vec<(&Lora, f64)> = loras.iter().map(|(lora, weight)| (lora, *weight)).collect();
    let lost = rewritten::copy(folder, &context.job.output, None, &concat(&weighted)?)?;
    context.reporter.metric("rounding_error", lost);
    Ok(())
}
