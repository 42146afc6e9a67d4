//! Kinds that work on LoRA files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::pretrained::source_problem;
use crate::{File, Hub, Positive, Rank, Ref, types};

/// A LoRA that was trained elsewhere, for a model: from a file by kohya's trainers, LyCORIS, OneTrainer, ComfyUI or diffusers
/// (its pipelines, and its training scripts of any year), or a folder that peft wrote, on this machine or a model hub.
///
/// Exactly one of `path` and `hub` is given. Every key must fit a module of the model's UNet or text encoders. What
/// acts on text encoders is kept by `LoraMerge` and `Export` and applied by `Sample`, `Eval`, `EncodeLatents` and `LoraFuse`;
/// trainings leave it alone. Bundled embeddings are refused by name, unless `text` says to leave them out, and so are other
/// adapters than LoRAs, unless `convert` makes a LoRA of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainedLora {
    /// A safetensors file, or a folder with one and, from peft, its `adapter_config.json`.
    #[serde(default)]
    pub path: Option<File>,
    /// A repository of a model hub; of several LoRAs in it, `files` names one.
    #[serde(default)]
    pub hub: Option<Hub>,
    /// The model that it is for.
    pub model: Ref<types::Model>,
    /// Alpha, for the modules of which the file does not say it: diffusers' older files do not. It must not contradict the
    /// file. The LoRA is scaled by alpha / rank; with kohya's keys, what is not said is the rank.
    #[serde(default)]
    pub alpha: Option<Positive>,
    /// Makes a LoRA of what is none: DoRA, LoHa, LoKr, or a LoRA of three factors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convert: Option<Convert>,
    /// What becomes of what is for text encoders: adapters of them, which are else kept, and bundled embeddings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextParts>,
}

/// What becomes of the parts of a LoRA that are for text encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TextParts {
    /// They are left out, with a warning that says what they are: what is left may draw something else.
    Drop,
}

/// How another adapter becomes a LoRA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Convert {
    /// The nearest LoRA of at most this rank in each module, by SVD of what the adapter adds to the weight. What that loses
    /// is reported: over all modules and the worst one as the node runs, each block and module in the artifact's
    /// `conversion.json`.
    Svd(Rank),
}

impl PretrainedLora {
    pub(super) fn problems(&self) -> Vec<Problem> {
        source_problem("hub", ["path", "hub"], self.path.as_ref(), self.hub.as_ref()).into_iter().collect()
    }
}

/// Adds LoRAs with weights into one.
///
/// The sum of rank-r LoRAs has a rank of up to their sum. With `rank` it is cut back by SVD, and the part of ΔW that is lost is
/// reported: over all modules and the worst one as the node runs, each module in the artifact's `truncation.json`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraMerge {
    /// The LoRAs and their weights.
    pub loras: Vec<(Ref<types::Lora>, f64)>,
    /// Rank to cut back to; the sum of the ranks when absent, which loses nothing.
    #[serde(default)]
    pub rank: Option<Rank>,
}

/// What a fine-tuned model changed about its base, as a LoRA.
///
/// In each module that differs it is the nearest LoRA of the rank, by SVD. What that loses is reported: over all modules and
/// the worst one as the node runs, each block and module in the artifact's `extraction.json`. What differs where no LoRA can
/// sit, in biases and norms, is left out and told, and so are text encoders and VAE. The base must be the model that was tuned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraExtract {
    /// The fine-tuned model.
    pub tuned: Ref<types::Model>,
    /// The model that it was tuned from, whose LoRA it becomes.
    pub base: Ref<types::Model>,
    /// The rank; clipped to a module's smaller side.
    pub rank: Rank,
}

impl LoraMerge {
    pub(super) fn problems(&self) -> Vec<Problem> {
        loras_problems(&self.loras)
    }
}

/// What is wrong with LoRAs and their weights.
pub(super) fn loras_problems(loras: &[(Ref<types::Lora>, f64)]) -> Vec<Problem> {
    let problem =
        |message: &str, help: &str| Problem { field: "loras", message: message.to_owned(), help: help.to_owned() };
    let mut problems = Vec::new();
    if loras.is_empty() {
        problems.push(problem("there is nothing to merge", "for example `loras: [(\"tscd-1\", 1.0)]`"));
    }
    if loras.iter().any(|(_, weight)| !weight.is_finite()) {
        problems.push(problem("a weight is not a finite number", "write a number such as 1.0"));
    }
    problems
}
