//! `LoraMerge`: adds LoRAs into one.

use hyper_flow_diffusion::lora::{Lora, concat, read_kohya_flat, truncate};
use hyper_flow_spec::kinds::LoraMerge;
use tch::Device;

use super::truncation;
use crate::NodeError;
use crate::artifacts::lora::{self, LORA_FILE};
use crate::worker::Context;

pub(super) fn run(context: &Context, params: &LoraMerge) -> Result<(), NodeError> {
    let mut loras: Vec<(Lora, f64)> = Vec::new();
    for (port, weight) in &params.loras {
        loras.push((read_kohya_flat(&context.input(port)?.join(LORA_FILE), Device::Cpu)?, *weight));
    }
    let weighted: Vec<(&Lora, f64)> = loras.iter().map(|(lora, weight)| (lora, *weight)).collect();
    let mut merged = concat(&weighted)?;
    if let Some(rank) = params.rank {
        let (cut, error) = truncate(&merged, rank.get())?;
        truncation::report(context, "truncation", rank.get(), &error, false)?;
        merged = cut;
    }
    lora::write(context, &merged)
}
