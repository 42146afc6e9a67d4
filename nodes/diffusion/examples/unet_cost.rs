//! What a UNet costs in time and memory: the side of tests/parity/unet_cost.py that is measured here.
//!
//! The one argument is a [`Setup`] as JSON. Each line of standard input asks for a `forward` or a training `step`; the
//! answer is a line of JSON, and after a forward the output in a file.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use hyper_flow_diffusion::lora::{Adapters, LORA_TARGETS, Lora};
use hyper_flow_diffusion::losses::Distance;
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig};
use hyper_flow_diffusion::unet::{AddedConditions, UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{load_var_store, read_tensors, write_tensors};
use hyper_flow_diffusion::{DiffusionError, Tape, catch};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Instant;
use tch::{Cuda, Device, Kind, Tensor, nn, no_grad};

#[derive(Deserialize)]
struct Setup {
    /// `config.json` and weights, as diffusers writes them.
    folder: PathBuf,
    inputs: PathBuf,
    output: PathBuf,
    cuda: bool,
    dtype: String,
    threads: i32,
    rank: i64,
    checkpointing: bool,
}

impl Setup {
    fn kind(&self) -> Kind {
        match self.dtype.as_str() {
            "float16" => Kind::Half,
            "bfloat16" => Kind::BFloat16,
            _ => Kind::Float,
        }
    }
}

/// The model with all that goes into it.
struct Bench {
    setup: Setup,
    device: Device,
    unet: UNet2DConditionModel,
    /// Made when the first step is asked for.
    training: Option<(Lora, AdamW)>,
    inputs: BTreeMap<String, Tensor>,
    added: Option<AddedConditions>,
}

impl Bench {
    fn new(setup: Setup) -> Result<Self, DiffusionError> {
        tch::set_num_threads(setup.threads);
        let device = if setup.cuda { Device::Cuda(0) } else { Device::Cpu };
        let mut vs = nn::VarStore::new(device);
        vs.set_kind(setup.kind());
        let unet = UNet2DConditionModel::new(&vs, &UNet2DConditionConfig::read(&setup.folder.join("config.json"))?)?;
        load_var_store(&vs, &setup.folder.join("diffusion_pytorch_model.safetensors"), "")?;
        vs.freeze();
        let inputs = read_tensors(&setup.inputs, Kind::Float, device)?;
        let added = inputs.get("text_embeds").map(|text_embeds| AddedConditions {
            text_embeds: text_embeds.shallow_clone(),
            time_ids: inputs["time_ids"].shallow_clone(),
        });
        Ok(Self { setup, device, unet, training: None, inputs, added })
    }

    fn output<'m>(&'m self, adapters: &Adapters<'m>, tape: &Tape<'m>) -> Tensor {
        let [sample, timesteps, text] = ["sample", "timesteps", "text"].map(|name| &self.inputs[name]);
        self.unet.forward(sample, timesteps, text, self.added.as_ref(), adapters, tape)
    }

    /// A LoRA that begins as nothing, and what trains it.
    fn fresh(&self) -> Result<(Lora, AdamW), DiffusionError> {
        let rank = self.setup.rank;
        let (lora, _) = Lora::new(&self.unet.lora_targets(&LORA_TARGETS)?, rank, rank as f64, 0);
        let lora = lora.to_device(self.device).requires_grad(true);
        let names = (0..).map(|i: i64| i.to_string());
        let optimiser = AdamW::new(names.zip(lora.tensors()), AdamWConfig::default());
        Ok((lora, optimiser))
    }

    /// One training step: its loss.
    fn step(&mut self) -> Result<f64, DiffusionError> {
        let (lora, mut optimiser) = self.training.take().map_or_else(|| self.fresh(), Ok)?;
        optimiser.zero_grad();
        let tape = if self.setup.checkpointing { Tape::new() } else { Tape::off() };
        let output = self.output(&Adapters::one(&lora), &tape);
        let loss = Distance::Mse.between(&output, &self.inputs["target"]);
        let value = loss.double_value(&[]);
        tape.backward(loss)?;
        optimiser.step(1e-4);
        self.training = Some((lora, optimiser));
        Ok(value)
    }

    /// Does what a line asks for, and says in how many seconds.
    fn answer(&mut self, line: &str) -> Result<serde_json::Value, DiffusionError> {
        let began = Instant::now();
        let (mut loss, mut output) = (None, None);
        match line {
            "step" => loss = Some(self.step()?),
            _ => output = Some(no_grad(|| self.output(&Adapters::none(), &Tape::off()))),
        }
        if let Device::Cuda(index) = self.device {
            Cuda::synchronize(index as i64);
        }
        let seconds = began.elapsed().as_secs_f64();
        if let Some(output) = output {
            write_tensors(&self.setup.output, &[("output".to_owned(), output)].into(), None)?;
        }
        Ok(serde_json::json!({ "seconds": seconds, "loss": loss, "peak_mib": peak_mib() }))
    }
}

/// The most memory that this process has had, as Linux tells it.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setup = std::env::args().nth(1).ok_or("one argument: a setup as JSON, see tests/parity/unet_cost.py")?;
    let mut bench = Bench::new(serde_json::from_str(&setup)?)?;
    println!("{}", serde_json::json!({ "peak_mib": peak_mib() }));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        println!("{}", catch(|| bench.answer(&line))?);
    }
    Ok(())
}
