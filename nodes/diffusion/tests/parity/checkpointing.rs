//! The UNet on a tape against itself without one.

use crate::support::{input, weight};
use crate::unet::{Reference, forward_from, reference, sizes};
use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use hyper_flow_diffusion::vae::AutoencoderKl;
use tch::{Device, Kind, Tensor, no_grad};

/// Of each tensor after two passes, relative to its largest: the same gradients are added up in another order, no more.
const FP64: f64 = 1e-12;
/// Of the gradient of one pass as a whole, relative to its length. Single tensors whose gradients nearly cancel differ by up to 1e-5,
/// and each pass from what is exact by a hundred times that.
const FP32: f64 = 1e-6;

/// An adapter on every module there is: within blocks, before them and after them.
fn lora(unet: &UNet2DConditionModel) -> Lora {
    let (lora, _) = Lora::new(unet.modules(), 2, 3.0, 0);
    for (path, layer) in &lora.layers {
        no_grad(|| layer.up.shallow_clone().copy_(&weight(&format!("lora.{path}.up"), &layer.up.size())));
    }
    lora
}

/// What is trained, or would be if more came before.
struct Leaves {
    lora: Lora,
    sample: Tensor,
}

impl Leaves {
    fn new(unet: &UNet2DConditionModel) -> Self {
        let [height, width] = sizes(unet).0;
        let sample = input("sample", &[2, unet.config().in_channels, height, width]).to_kind(unet.kind());
        let lora = lora(unet).to_kind(unet.kind()).requires_grad(true);
        Self { lora, sample: sample.set_requires_grad(true) }
    }

    /// A loss of what passes end with and begin with, each where the one before ended.
    fn loss<'m>(&'m self, unet: &'m UNet2DConditionModel, passes: usize, tape: &Tape<'m>) -> Tensor {
        let adapters = Adapters::one(&self.lora);
        let mut x = &self.sample * 1.0;
        let mut losses = Vec::new();
        for _ in 0..passes {
            let output = forward_from(unet, &x, &adapters, tape);
            losses.push((&output * input("loss", &x.size()) + x.square()).sum(Kind::Float));
            x = x * 0.7 + (output * 0.3).tanh();
        }
        losses.into_iter().sum()
    }

    fn gradients(&self) -> Vec<Tensor> {
        self.lora.tensors().into_iter().chain([self.sample.shallow_clone()]).map(|leaf| leaf.grad()).collect()
    }
}

/// The gradients of the plain pass, and how much those on a tape differ from them.
fn gradients(unet: &UNet2DConditionModel, passes: usize) -> Vec<(Tensor, Tensor)> {
    let (plain, recomputed) = (Leaves::new(unet), Leaves::new(unet));
    let expected = plain.loss(unet, passes, &Tape::off());
    let tape = Tape::new();
    let loss = recomputed.loss(unet, passes, &tape);
    assert!(tape.len() > 50 && loss == expected, "{loss} is not {expected}");
    expected.backward();
    tape.backward(loss).unwrap();
    let pairs = plain.gradients().into_iter().zip(recomputed.gradients());
    pairs.map(|(theirs, ours)| (theirs.shallow_clone(), ours - theirs)).collect()
}

fn check(name: &str) {
    let Reference { mut vs, unet, .. } = reference(name);
    let square = |t: &Tensor| t.square().sum(Kind::Double).double_value(&[]);
    let sums = gradients(&unet, 1).iter().fold((0.0, 0.0), |(a, b), (g, d)| (a + square(g), b + square(d)));
    let whole = (sums.1 / sums.0).sqrt();
    assert!(whole < FP32, "{name}: {whole:e}");
    vs.double();
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    let worst = gradients(&unet, 2).iter().map(|(g, d)| largest(d) / largest(g)).fold(0.0, f64::max);
    assert!(worst < FP64, "{name}: {worst:e}");
}

#[test]
fn stable_diffusion_1_5_like() {
    check("sd15");
}

#[test]
fn sdxl_like() {
    check("sdxl");
}

/// The gradient by the latents of a loss of the pictures that a decoder makes of them.
fn of_latents<'m>(vae: &'m AutoencoderKl, tape: Tape<'m>) -> Tensor {
    let latents = input("z", &[2, vae.config().latent_channels, 11, 9]).to_kind(vae.kind()).set_requires_grad(true);
    let pictures = vae.to_pictures_on(&tape, &latents);
    tape.backward((&pictures * input("loss", &pictures.size())).sum(Kind::Float)).unwrap();
    latents.grad()
}

#[test]
fn vae_decoder_whole_and_in_slices_and_tiles() {
    for parts in [false, true] {
        let vae = crate::vae::reference("sd15", Kind::Double).vae.with_slicing(parts).with_tiling(parts);
        let (ours, theirs) = (of_latents(&vae, Tape::new()), of_latents(&vae, Tape::off()));
        let far = ((ours - &theirs).abs().max() / theirs.abs().max()).double_value(&[]);
        assert!(far < FP64, "{parts}: {far:e}");
    }
}

/// What a process of its own prints: the memory that a training step takes beyond what was there before it, in MiB.
#[test]
#[ignore = "run by the test of memory"]
#[expect(clippy::print_stdout, reason = "the test of memory reads it")]
fn memory_of_a_step() {
    let unet = reference("sd15").unet;
    let lora = lora(&unet).requires_grad(true);
    let sample = input("sample", &[BATCH, 4, 40, 40]);
    let text = input("text", &[BATCH, 5, 12]);
    let tape = if std::env::var_os("CHECKPOINTING").is_some() { Tape::new() } else { Tape::off() };
    let before = status("VmRSS");
    let timesteps = Tensor::full([BATCH], 500, (Kind::Int64, Device::Cpu));
    let output = unet.forward(&sample, &timesteps, &text, None, &Adapters::one(&lora), &tape);
    tape.backward(output.square().mean(Kind::Float)).unwrap();
    println!("{TAKEN}{}", (status("VmHWM") - before) / 1024);
}

const BATCH: i64 = 8;
const TAKEN: &str = "MiB taken: ";

/// A line of what the system knows of this process, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_step_takes_a_fraction_of_the_memory() {
    let taken = |checkpointing: bool| -> u64 {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "checkpointing::memory_of_a_step", "--ignored", "--nocapture"]);
        command.env_remove("CHECKPOINTING").env("OMP_NUM_THREADS", "1");
        if checkpointing {
            command.env("CHECKPOINTING", "1");
        }
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let line = output.lines().find_map(|line| line.split_once(TAKEN)).unwrap_or_else(|| panic!("{output}"));
        line.1.parse().unwrap()
    };
    let (plain, recomputed) = (taken(false), taken(true));
    // 106 to 127 of 254 to 270, by what the allocator had to spare.
    assert!(plain > 150 && 5 * recomputed < 3 * plain, "{recomputed} MiB of {plain}");
}
