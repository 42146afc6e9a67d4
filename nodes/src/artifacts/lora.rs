//! The `Lora` artifact: one safetensors file with kohya's keys. It may have parts for text encoders.

use hyper_flow_diffusion::lora::{Lora, LoraTarget, read_kohya, read_kohya_unet, write_kohya};
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use hyper_flow_spec::{Level, Ref, types};
use tch::Device;

use crate::NodeError;
use crate::worker::Context;

/// The file of a `Lora` artifact.
pub(crate) const LORA_FILE: &str = "lora.safetensors";

/// Reads the part of a `Lora` artifact that is for a UNet; frozen. Says what of it is for text encoders, which do not act
/// where captions come encoded.
pub(crate) fn read_unet(
    context: &Context,
    port: &Ref<types::Lora>,
    unet: &UNet2DConditionModel,
) -> Result<Lora, NodeError> {
    let (lora, text) = read_kohya_unet(&context.input(port)?.join(LORA_FILE), unet.modules(), context.device)?;
    if !text.is_empty() {
        let text = format!(
            "{}: its {} are not applied, and not in what this node makes; `LoraFuse` puts them into a model, and \
             `EncodeLatents` encodes captions with them",
            port.name(),
            text.join(" and ")
        );
        context.reporter.message(Level::Warning, text);
    }
    Ok(lora)
}

/// Reads a whole `Lora` artifact for [the modules of a model](super::model::lora_modules); frozen.
pub(crate) fn read(
    context: &Context,
    port: &Ref<types::Lora>,
    modules: &[LoraTarget],
    device: Device,
) -> Result<Lora, NodeError> {
    Ok(read_kohya(&context.input(port)?.join(LORA_FILE), modules, device)?)
}

/// Writes the job's `Lora` artifact.
pub(crate) fn write(context: &Context, lora: &Lora) -> Result<(), NodeError> {
    Ok(write_kohya(lora, &context.output(LORA_FILE))?)
}
