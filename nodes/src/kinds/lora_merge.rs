//! `LoraMerge`: adds LoRAs into one.

use std::collections::BTreeMap;

use hyper_flow_diffusion::lora::{Lora, concat, read_kohya_flat, truncate};
use hyper_flow_spec::kinds::LoraMerge;
use serde::Serialize;
use tch::Device;

use crate::artifacts::lora::{self, LORA_FILE};
use crate::worker::Context;
use crate::{NodeError, files};

/// What a rank cut off, beside the weights: the relative errors ‖ΔW − ΔW_r‖ / ‖ΔW‖ in the Frobenius norm.
const REPORT: &str = "truncation.json";

#[derive(Serialize)]
struct Report<'a> {
    rank: i64,
    /// Over all modules together.
    error: f64,
    modules: &'a BTreeMap<String, f64>,
}

pub(super) fn run(context: &Context, params: &LoraMerge) -> Result<(), NodeError> {
    let mut loras: Vec<(Lora, f64)> = Vec::new();
    for (port, weight) in &params.loras {
        loras.push((read_kohya_flat(&context.input(port)?.join(LORA_FILE), Device::Cpu)?, *weight));
    }
    let weighted: Vec<(&Lora, f64)> = loras.iter().map(|(lora, weight)| (lora, *weight)).collect();
    let mut merged = concat(&weighted)?;
    if let Some(rank) = params.rank {
        let (cut, error) = truncate(&merged, rank.get())?;
        context.reporter.metric("truncation_error", error.total);
        let worst = error.modules.values().copied().fold(0.0, f64::max);
        context.reporter.metric("worst_truncation_error", worst);
        let report = Report { rank: rank.get(), error: error.total, modules: &error.modules };
        files::write_json(&context.output(REPORT), &report)?;
        merged = cut;
    }
    lora::write(context, &merged)
}
