//! The small UNets on a GPU, in float32 and in TF32. Without `HYPER_FLOW_PARITY_GPU` it is the CPU that they are on, which shows
//! that the test works: tests/gpu/run.py reads what it prints.

#![expect(clippy::print_stdout, reason = "how far apart they are is what is asked for")]

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::unet::AddedConditions;
use tch::{Device, Kind, Tensor};

use crate::support::{TOLERANCE, input};
use crate::unet::{Reference, reference, sizes};

/// Of TF32's ten bits, after the layers of a small UNet.
const TF32_TOLERANCE: f64 = 2e-2;

fn device() -> Device {
    if std::env::var_os("HYPER_FLOW_PARITY_GPU").is_some() { Device::Cuda(0) } else { Device::Cpu }
}

/// How far an output is from diffusers', relative to its largest value.
fn apart(name: &str) -> f64 {
    let Reference { tensors, mut vs, unet, .. } = reference(name);
    vs.set_device(device());
    let ([height, width], _) = sizes(&unet);
    let config = unet.config();
    let place = |x: Tensor| x.to_device(device());
    let sample = place(input("sample", &[2, config.in_channels, height, width]));
    let text = place(input("text", &[2, 5, config.cross_attention_dim.get(0)]));
    let time_ids = [[512i64, 768, 0, 16, 512, 768], [1024, 1024, 8, 0, 1024, 1024]].concat();
    let added = config.addition_embed_type.map(|_| AddedConditions {
        text_embeds: place(input("text_embeds", &[2, 10])),
        time_ids: place(Tensor::from_slice(&time_ids).reshape([2, 6])),
    });
    let timesteps = place(Tensor::from_slice(&[999i64, 20]));
    let output = unet.forward(&sample, &timesteps, &text, added.as_ref(), &Adapters::none(), &Tape::off());
    let (output, theirs) =
        (output.to_device(Device::Cpu).to_kind(Kind::Double), tensors["output"].to_kind(Kind::Double));
    ((output - &theirs).abs().max() / theirs.abs().max()).double_value(&[])
}

#[test]
fn the_small_unets_are_theirs_on_a_gpu_too() {
    for (precision, tolerance) in [("Fp32", TOLERANCE), ("Tf32", TF32_TOLERANCE)] {
        hyper_flow_torch_ext::set_tf32(precision == "Tf32").unwrap();
        // On the CPU the others are compared by tests of their own.
        let names = ["digits", "sd15", "sd21", "sdxl"].into_iter().take(if device() == Device::Cpu { 1 } else { 4 });
        for name in names {
            let apart = apart(name);
            println!("{name} {precision} {apart:.1e}");
            assert!(apart < tolerance, "{name} in {precision} on {:?}: {apart}", device());
        }
    }
    hyper_flow_torch_ext::set_tf32(false).unwrap();
}
