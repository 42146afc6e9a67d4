//! Kinds that write for other programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, Precision, Problem, Sampler};
use crate::{Ref, types};

/// Something that other programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExportFormat {
    /// The LoRA with kohya's keys, `lora.safetensors`: for ComfyUI, stable-diffusion-webui and diffusers.
    Kohya,
    /// The LoRA with diffusers' keys, `pytorch_lora_weights.safetensors`: for diffusers and peft.
    Diffusers,
    /// The model, a diffusers folder `model`.
    Model,
    /// The model with the LoRA added to its weights, a diffusers folder `fused` that draws by `sampler`.
    Fused,
}

/// Writes what other programs read: a LoRA in their formats, a diffusers folder, and a `README.md` on how to load them.
///
/// Every LoRA that is written has one rank in all modules and this rank for alpha, which all programs read alike. It is
/// read back, and must add what the LoRA adds; a key that the model has no module for is an error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The model, whose modules the LoRA is for.
    pub model: Ref<types::Model>,
    /// The LoRA.
    #[serde(default)]
    pub lora: Option<Ref<types::Lora>>,
    /// What is written: the LoRA with kohya's keys (for ComfyUI, stable-diffusion-webui and diffusers) and with diffusers',
    /// the model, or the model with the LoRA in its weights.
    #[serde(default = "lora_files")]
    pub formats: Vec<ExportFormat>,
    /// Number format of what is written; by default, that of the model's files, and fp32 for a LoRA.
    #[serde(default)]
    pub precision: Option<Precision>,
    /// How pictures are to be drawn: for the README, and the scheduler of `Fused`.
    #[serde(default = "super::picture::ddim")]
    pub sampler: Sampler,
    /// What the README and the LoRA's files tell of it; by default what the pipeline says: the repository of the model, the
    /// step counts in which the LoRA is drawn or measured, what was distilled into it, and the captions of its `Sample`s.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
}

impl Export {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let of_lora = |format: &&ExportFormat| **format != ExportFormat::Model;
        let message = match (&self.lora, self.formats.iter().find(of_lora)) {
            _ if self.formats.is_empty() => "there is nothing to write".to_owned(),
            (None, Some(format)) => format!("`{format:?}` is of a LoRA, and there is none"),
            (Some(_), None) => "none of them has the LoRA in it".to_owned(),
            _ => return Vec::new(),
        };
        let help = "for example `lora: \"unified\", formats: [Kohya, Diffusers]`, or `formats: [Model]` without a LoRA";
        vec![Problem { field: "formats", message, help: help.to_owned() }]
    }
}

fn lora_files() -> Vec<ExportFormat> {
    vec![ExportFormat::Kohya, ExportFormat::Diffusers]
}
