//! What a step of `Sample` costs with a UNet in 16 bits: the side of tests/half_cost.py that computes.
//!
//! The one argument is a [`Setup`] as JSON; the answer is a line of JSON with the seconds of every step.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use hyper_flow_diffusion::half::{HalfCompute, with_half_compute};
use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, Sampler, SchedulerConfig};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::{Conditions, DiffusionError, catch};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;
use tch::{Device, Kind, nn};

#[derive(Deserialize)]
struct Setup {
    /// The UNet's `config.json`; its weights are random.
    config: PathBuf,
    /// Side of a latent.
    side: i64,
    /// Tokens of a caption.
    tokens: i64,
    threads: i32,
    rounds: usize,
}

/// What is measured in turn. "Before" is all that there was for 16 bits, "after" what is chosen on this CPU.
const WAYS: [(&str, Kind, Option<HalfCompute>); 5] = [
    ("Fp32", Kind::Float, None),
    ("Bf16 before", Kind::BFloat16, Some(HalfCompute::Native)),
    ("Bf16 after", Kind::BFloat16, None),
    ("Fp16 before", Kind::Half, Some(HalfCompute::Native)),
    ("Fp16 after", Kind::Half, None),
];

/// A UNet of random weights in one format.
struct Network {
    unet: UNet2DConditionModel,
    _weights: nn::VarStore,
}

impl Network {
    fn new(config: &UNet2DConditionConfig, kind: Kind) -> Result<Self, DiffusionError> {
        let mut weights = nn::VarStore::new(Device::Cpu);
        let unet = UNet2DConditionModel::new(&weights, config)?;
        init_weights(&weights, 0);
        weights.set_kind(kind);
        weights.freeze();
        Ok(Self { unet, _weights: weights })
    }

    /// Seconds of one step of DDIM with guidance, as `Sample` takes it: a batch of two.
    fn step(&self, setup: &Setup, schedule: &NoiseSchedule) -> Result<f64, DiffusionError> {
        let config = self.unet.config();
        let random = |name: &str, shape: &[i64]| Rng::at(0, name, 0).randn(shape, (Kind::Float, Device::Cpu));
        let text = |name| Conditions::from(random(name, &[1, setup.tokens, config.cross_attention_dim.get(0)]));
        let (captions, empty) = (text("caption"), text("empty"));
        let plan = Sampler::DDIM_TRAILING.plan(schedule, 1)?;
        let (denoiser, adapters) = (Denoiser { unet: &self.unet, schedule }, Adapters::none());
        let guidance = Some(Guidance { scale: 7.5, empty: &empty });
        let painter = Painter { denoiser, plan: &plan, adapters: &adapters, guidance };
        let noise = random("noise", &[1, config.in_channels, setup.side, setup.side]);
        let began = Instant::now();
        let drawn = painter.draw(&noise, &captions, &mut Rng::at(0, "DDIM", 0));
        let finite = drawn.isfinite().all().int64_value(&[]) == 1;
        let seconds = began.elapsed().as_secs_f64();
        assert!(finite, "what was drawn is not finite");
        Ok(seconds)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setup = std::env::args().nth(1).ok_or("one argument: a setup as JSON, see tests/half_cost.py")?;
    let setup: Setup = serde_json::from_str(&setup)?;
    tch::set_num_threads(setup.threads);
    let schedule = NoiseSchedule::new(&SchedulerConfig::stable_diffusion(PredictionType::Epsilon))?;
    let config = UNet2DConditionConfig::read(&setup.config)?;
    let networks = WAYS.iter().map(|(_, kind, _)| Network::new(&config, *kind)).collect::<Result<Vec<_>, _>>()?;
    let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    // In turn, so that whatever else the machine does falls on all of them. The first round warms up.
    for round in 0..=setup.rounds {
        for ((name, _, how), network) in WAYS.iter().zip(&networks) {
            let step = || catch(|| network.step(&setup, &schedule));
            let taken = match how {
                Some(how) => with_half_compute(*how, step),
                None => step(),
            };
            let taken = taken?;
            if round > 0 {
                seconds.entry(name).or_default().push(taken);
            }
        }
    }
    let chosen = [Kind::BFloat16, Kind::Half].map(|kind| format!("{:?}", HalfCompute::of_cpu(kind)));
    println!("{}", serde_json::json!({ "seconds": seconds, "chosen": { "bf16": chosen[0], "fp16": chosen[1] } }));
    Ok(())
}
