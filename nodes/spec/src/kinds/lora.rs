//! Kinds that work on LoRA files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::pretrained::source_problem;
use crate::{File, Hub, Positive, Rank, Ref, types};

/// A LoRA that was trained elsewhere, for a model: from a file of kohya's or diffusers' keys or a folder that peft wrote, on
/// this machine or a model hub.
///
/// Exactly one of `path` and `hub` is given. Every key must fit a module of the model. What also adapts text encoders, and
/// other adapters than LoRAs (DoRA, LoHa, LoKr, …), are refused by name.
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
    /// Alpha, for a file that does not say it: diffusers' older files do not. The LoRA is scaled by alpha / rank.
    #[serde(default)]
    pub alpha: Option<Positive>,
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
