//! `Export`: what other programs read.

mod lora;
mod readme;
mod sampler;

use hyper_flow_diffusion::ModelIndex;
use hyper_flow_diffusion::lora::Lora;
use hyper_flow_spec::kinds::{Export, ExportFormat};
use tch::{Device, Kind};

use crate::artifacts::{self, model, rewritten};
use crate::distilling::paint;
use crate::worker::Context;
use crate::{NodeError, files};

/// The name that diffusers looks for in a folder.
const DIFFUSERS_FILE: &str = "pytorch_lora_weights.safetensors";
const MODEL_FOLDER: &str = "model";
const FUSED_FOLDER: &str = "fused";

pub(super) fn run(context: &Context, params: &Export) -> Result<(), NodeError> {
    let folder = context.input(&params.model)?;
    let kind = params.precision.map(paint::kind);
    let modules = model::lora_modules(folder)?;
    let read = |port| artifacts::lora::read(context, port, &modules, Device::Cpu);
    let lora = params.lora.as_ref().map(read).transpose()?.unwrap_or_default();
    for (i, format) in params.formats.iter().enumerate() {
        let loss = match format {
            ExportFormat::Kohya => lora::KOHYA.write(context, &params.about, &lora, &modules, kind)?,
            ExportFormat::Diffusers => lora::DIFFUSERS.write(context, &params.about, &lora, &modules, kind)?,
            ExportFormat::Model => rewritten::copy(folder, &context.output(MODEL_FOLDER), kind, &Lora::default())?,
            ExportFormat::Fused => fuse(context, params, &lora, kind)?,
        };
        context.reporter.metric(&format!("{format:?}_error").to_lowercase(), loss);
        context.progress(i + 1, params.formats.len(), "formats")?;
    }
    let readme = readme::text(params, ModelIndex::read(folder)?, lora.layers.len());
    files::write(&context.output("README.md"), readme)
}

fn fuse(context: &Context, params: &Export, lora: &Lora, kind: Option<Kind>) -> Result<f64, NodeError> {
    let to = context.output(FUSED_FOLDER);
    let loss = rewritten::copy(context.input(&params.model)?, &to, kind, lora)?;
    sampler::set(&to, params.sampler)?;
    Ok(loss)
}
