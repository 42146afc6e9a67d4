//! Kinds that work on LoRA files alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::{Rank, Ref, types};

/// Adds LoRAs with weights into one.
///
/// The sum of rank-r LoRAs has a rank of up to their sum. With `rank` it is cut back by SVD, and the part
/// of ΔW that is lost is reported.
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
        let problem =
            |message: &str, help: &str| Problem { field: "loras", message: message.to_owned(), help: help.to_owned() };
        let mut problems = Vec::new();
        if self.loras.is_empty() {
            problems.push(problem("there is nothing to merge", "for example `loras: [(\"tscd-1\", 1.0)]`"));
        }
        if self.loras.iter().any(|(_, weight)| !weight.is_finite()) {
            problems.push(problem("a weight is not a finite number", "write a number such as 1.0"));
        }
        problems
    }
}
