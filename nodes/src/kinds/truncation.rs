//! What a LoRA of a lower rank loses: reported as the node runs, and beside the weights.

use std::collections::BTreeMap;

use hyper_flow_diffusion::lora::Truncation;
use serde::Serialize;

use crate::worker::Context;
use crate::{NodeError, files};

/// Relative errors ‖ΔW − ΔW_r‖ / ‖ΔW‖ in the Frobenius norm.
#[derive(Serialize)]
struct Report<'a> {
    rank: i64,
    /// Over all modules together.
    error: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<BTreeMap<String, f64>>,
    modules: &'a BTreeMap<String, f64>,
}

/// Reports an error under a name: `conversion_error`, `worst_conversion_error` and the file `conversion.json`. The modules are
/// those `of_model`, whose blocks are told, or have names of a file.
pub(super) fn report(
    context: &Context,
    name: &str,
    rank: i64,
    error: &Truncation,
    of_model: bool,
) -> Result<(), NodeError> {
    context.reporter.metric(&format!("{name}_error"), error.total);
    let worst = error.modules.values().copied().fold(0.0, f64::max);
    context.reporter.metric(&format!("worst_{name}_error"), worst);
    let report = Report { rank, error: error.total, blocks: of_model.then(|| error.blocks()), modules: &error.modules };
    files::write_json(&context.output(&format!("{name}.json")), &report)
}
