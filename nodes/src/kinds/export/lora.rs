//! LoRA files, each read back and compared.

use std::path::Path;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::lora::{
    Lora, LoraLayer, LoraTarget, read_kohya, read_lora, write_kohya_with, write_peft_with,
};
use hyper_flow_diffusion::weights::Entry;
use hyper_flow_spec::kinds::{About, Measured};
use serde_json::{Map, Value};
use tch::{Device, Kind};

use super::DIFFUSERS_FILE;
use crate::NodeError;
use crate::artifacts::lora::LORA_FILE;
use crate::artifacts::rewritten::norm;
use crate::worker::Context;

type Write = fn(&Lora, &Path, Map<String, Value>) -> Result<(), DiffusionError>;
type Read = fn(&Path, &[LoraTarget]) -> Result<Lora, DiffusionError>;

/// A format of LoRA files.
pub(super) struct Format {
    file: &'static str,
    write: Write,
    read: Read,
}

pub(super) const KOHYA: Format = Format {
    file: LORA_FILE,
    write: |lora, path, about| {
        let text = Value::Object(about).to_string();
        write_kohya_with(lora, path, Some(Entry { name: About::ENTRY, text: &text }))
    },
    read: |path, modules| read_kohya(path, modules, Device::Cpu),
};
pub(super) const DIFFUSERS: Format = Format {
    file: DIFFUSERS_FILE,
    write: write_peft_with,
    read: |path, modules| read_lora(path, modules, None, Device::Cpu),
};

impl Format {
    /// Writes a LoRA in fp32 or in `kind`. Yields how far what the file adds to a module is from what the LoRA adds,
    /// relative, at worst.
    pub(super) fn write(
        &self,
        context: &Context,
        about: &About,
        lora: &Lora,
        modules: &[LoraTarget],
        kind: Option<Kind>,
    ) -> Result<f64, NodeError> {
        let (path, kind) = (context.output(self.file), kind.unwrap_or(Kind::Float));
        let uniform = lora.uniform().to_kind(kind);
        (self.write)(&uniform, &path, about.header(measured(context, &uniform)))?;
        let written = (self.read)(&path, modules)?;
        let errors = lora.layers.iter().map(|(module, layer)| {
            let error = error(layer, written.layers.get(module), kind);
            error.ok_or_else(|| {
                NodeError::Unfit(format!(
                    "read back, {} does not add to {module} what the LoRA adds; where that is too small for 16 bits, leave \
                     `precision` out",
                    self.file
                ))
            })
        });
        Ok(errors.collect::<Result<Vec<_>, _>>()?.into_iter().fold(0.0, f64::max))
    }
}

/// What a LoRA says of itself. The engine names a job's scratch directory by its key.
fn measured<'a>(context: &'a Context, lora: &Lora) -> Measured<'a> {
    let width = |(module, layer): (&String, &LoraLayer)| {
        module.ends_with("attn2.to_k").then(|| layer.down.size().get(1).copied()).flatten()
    };
    Measured {
        rank: lora.layers.values().map(|layer| layer.down.size()[0]).max().unwrap_or(0),
        text_width: lora.layers.iter().find_map(width),
        key: context.job.scratch.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
    }
}

/// The part of ΔW that is lost, unless it is more than rounding both halves to `kind` can take.
fn error(layer: &LoraLayer, written: Option<&LoraLayer>, kind: Kind) -> Option<f64> {
    let own = layer.delta();
    let lost = norm(&(written?.delta() - &own));
    let both = layer.scale().abs() * norm(&layer.up) * norm(&layer.down);
    let most = match kind {
        Kind::Half => 2f64.powi(-10),
        Kind::BFloat16 => 2f64.powi(-7),
        _ => 1e-6,
    };
    // A half that is zero, as in a LoRA that has not been trained, loses nothing.
    (lost <= most * both).then(|| lost / norm(&own).max(f64::MIN_POSITIVE))
}
