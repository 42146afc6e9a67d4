//! The `Lora` artifact: one safetensors file with kohya's keys.

use hyper_flow_diffusion::lora::{Lora, read_kohya, write_kohya};
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use hyper_flow_spec::{Ref, types};

use crate::NodeError;
use crate::worker::Context;

/// The file of a `Lora` artifact.
pub(crate) const LORA_FILE: &str = "lora.safetensors";

/// Reads a `Lora` artifact for a UNet; frozen.
pub(crate) fn read(context: &Context, port: &Ref<types::Lora>, unet: &UNet2DConditionModel) -> Result<Lora, NodeError> {
    Ok(read_kohya(&context.input(port)?.join(LORA_FILE), unet.modules(), context.device)?)
}

/// Writes the job's `Lora` artifact.
pub(crate) fn write(context: &Context, lora: &Lora) -> Result<(), NodeError> {
    Ok(write_kohya(lora, &context.output(LORA_FILE))?)
}
