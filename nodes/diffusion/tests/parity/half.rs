//! The UNet in half precision against diffusers in the same dtype, by tests/parity/unet_half.py; its layers in that dtype and
//! widened to float32.

use crate::support::{assert_within, fixtures, input};
use crate::unet::{Reference, formula_lora, forward, reference, sizes};
use hyper_flow_diffusion::half::{HalfCompute, with_half_compute};
use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::Distance;
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig};
use hyper_flow_diffusion::weights::read_tensors;
use tch::{Device, Kind, Tensor, no_grad};

/// How far our outputs may be from theirs, relative to the largest. Both round after each operation, but which sums an
/// operation rounds on the way depends on the CPU and on how its input lies in memory. Measured: none to 5e-2 and 4e-3.
const BF16: f64 = 0.1;
const FP16: f64 = 0.01;
/// How much farther from exact ours may be. With other inputs, theirs is 2e-2 to 14e-2 from it in bfloat16.
const FARTHER: f64 = 3.0;

/// What is chosen on this CPU, and widened. (Told to do without AVX-512 on a CPU that has it, libtorch's own attention in
/// bfloat16 fails: `pack_vnni2 is only supported when avx512 is supported`.)
fn ways(kind: Kind) -> [HalfCompute; 2] {
    [HalfCompute::of_cpu(kind), HalfCompute::Widened]
}

fn check(name: &str, kind: Kind, dtype: &str, tolerance: f64) {
    let Reference { mut vs, unet, tensors, .. } = reference(name);
    let theirs = read_tensors(&fixtures().join("unet_half.safetensors"), Kind::Float, Device::Cpu).unwrap();
    let lora = formula_lora(&unet).requires_grad(false);
    vs.set_kind(kind);
    for (adapters, suffix, exact) in [(Adapters::none(), "", "output"), (Adapters::one(&lora), ".lora", "output_lora")]
    {
        let key = format!("{name}.{dtype}{suffix}");
        let far = |output: &Tensor| length(&(output - &tensors[exact])) / length(&tensors[exact]);
        for how in ways(kind) {
            let ours = with_half_compute(how, || no_grad(|| forward(&unet, sizes(&unet).0, &adapters)));
            assert_eq!(ours.kind(), kind);
            let what = format!("{key} {how:?}");
            assert_within(tolerance, &what, &ours, &theirs[&key]);
            assert!(far(&ours) < FARTHER * far(&theirs[&key]), "{what}: {:e} from what is exact", far(&ours));
        }
    }
}

fn length(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}

#[test]
fn bfloat16() {
    for name in ["sd15", "sd21", "sdxl"] {
        check(name, Kind::BFloat16, "bfloat16", BF16);
    }
}

#[test]
fn float16() {
    for name in ["sd15", "sd21", "sdxl"] {
        check(name, Kind::Half, "float16", FP16);
    }
}

/// A LoRA whose effect is small, as a trained one's is, in a row: (values, gradient of a loss, values after a step).
fn trained(kind: Kind) -> [Tensor; 3] {
    let Reference { mut vs, unet, .. } = reference("sdxl");
    // Not the formula's weights, in which rounding grows to tens of percent on the way back, in PyTorch as here.
    init_weights(&vs, 0);
    vs.set_kind(kind);
    let lora = formula_lora(&unet).requires_grad(false);
    lora.layers.values().for_each(|layer| _ = layer.up.shallow_clone().g_mul_scalar_(0.05));
    let lora = lora.requires_grad(true);
    let names = (0..).map(|i: i64| i.to_string());
    let mut optimiser = AdamW::new(names.zip(lora.tensors()), AdamWConfig::default());
    let in_a_row = |of: fn(&Tensor) -> Tensor| {
        Tensor::cat(&lora.tensors().iter().map(|t| of(t).flatten(0, -1)).collect::<Vec<_>>(), 0)
    };
    let before = in_a_row(Tensor::detach);
    let output = forward(&unet, sizes(&unet).0, &Adapters::one(&lora));
    Distance::Mse.between(&output, &input("target", &output.size())).backward();
    optimiser.step(1e-3);
    [before, in_a_row(Tensor::grad), in_a_row(Tensor::detach)]
}

#[test]
fn a_training_step_in_bfloat16_moves_the_lora_as_in_float32() {
    let [before, exact_gradient, exact] = trained(Kind::Float);
    for how in ways(Kind::BFloat16) {
        assert_moves(&with_half_compute(how, || trained(Kind::BFloat16)), &before, &exact_gradient, &exact);
    }
}

fn assert_moves([_, gradient, rounded]: &[Tensor; 3], before: &Tensor, exact_gradient: &Tensor, exact: &Tensor) {
    assert_eq!((gradient.kind(), rounded.kind()), (Kind::Float, Kind::Float));
    let cosine = gradient.dot(exact_gradient).double_value(&[]) / (length(gradient) * length(exact_gradient));
    let longer = length(gradient) / length(exact_gradient);
    // Measured: 0.9996 and 0.9992.
    assert!(cosine > 0.999 && (longer - 1.0).abs() < 0.01, "cosine {cosine}, {longer} times as long");
    // AdamW's first step is a sign, which rounding turns where a gradient is near 0. Measured: 0.22.
    let apart = length(&(rounded - exact)) / length(&(exact - before));
    assert!(apart < 0.3, "{apart} of the way");
}
