//! The VAE against diffusers: fixtures by tests/parity/vae.py.

use crate::support::{assert_close, assert_gradients, config_file, fill, fixture_json, fixtures, input};
use hyper_flow_diffusion::losses::{Distance, autoencoder_losses};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig, Posterior};
use hyper_flow_diffusion::weights::read_tensors;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn};

const LATENT: [i64; 2] = [4, 3];
const PICTURE: [i64; 2] = [27, 34];

pub(crate) struct Reference {
    keys: BTreeMap<String, Vec<i64>>,
    tensors: BTreeMap<String, Tensor>,
    pub(crate) vae: AutoencoderKl,
}

pub(crate) fn reference(name: &str, kind: Kind) -> Reference {
    let described = fixture_json(&format!("vae_{name}"));
    let config = AutoencoderKlConfig::read(config_file(&described).path()).unwrap();
    let mut vs = nn::VarStore::new(Device::Cpu);
    vs.set_kind(kind);
    let vae = AutoencoderKl::new(vs, &config).unwrap();
    fill(vae.variables());
    let path = fixtures().join(format!("vae_{name}.safetensors"));
    let tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    Reference { keys: serde_json::from_value(described["keys"].clone()).unwrap(), tensors, vae }
}

fn pictures(vae: &AutoencoderKl, [height, width]: [i64; 2]) -> Tensor {
    input("pictures", &[2, vae.config().in_channels, height, width]).to_kind(vae.kind())
}

fn latents(vae: &AutoencoderKl, name: &str, [height, width]: [i64; 2]) -> Tensor {
    input(name, &[2, vae.config().latent_channels, height, width]).to_kind(vae.kind())
}

/// Means, then logarithms of variances. The formula's weights leave the latter far from their bounds.
fn moments(posterior: &Posterior) -> Tensor {
    Tensor::cat(&[&posterior.mean, &posterior.logvar], 1)
}

/// The output of `run`, and the gradient of a scalar loss of it.
fn with_gradient(run: impl Fn(&Tensor) -> Tensor, argument: Tensor) -> (Tensor, Tensor) {
    let argument = argument.set_requires_grad(true);
    let output = run(&argument);
    (&output * input("loss", &output.size())).sum(output.kind()).backward();
    (output.detach(), argument.grad())
}

fn check(name: &str, kind: Kind) {
    let Reference { keys, tensors, vae } = reference(name, kind);
    // 1. names and shapes
    let ours: BTreeMap<_, _> = vae.variables().variables().into_iter().map(|(key, t)| (key, t.size())).collect();
    assert_eq!(ours, keys);
    // 2. there and back, with gradients
    let (encoded, gradient) = with_gradient(|x| moments(&vae.encode(x)), pictures(&vae, PICTURE));
    assert_close("moments", &encoded, &tensors["moments"]);
    assert_close("gradient by the pictures", &gradient, &tensors["moments_grad"]);
    let (decoded, gradient) = with_gradient(|z| vae.decode(z), latents(&vae, "z", LATENT));
    assert_close("decoded", &decoded, &tensors["decoded"]);
    assert_close("gradient by the latents", &gradient, &tensors["decoded_grad"]);
    // 3. as the UNet has them
    let mean = vae.encode(&pictures(&vae, PICTURE)).mode();
    assert_close("mode", &mean, &tensors["moments"].chunk(2, 1)[0]);
    let noise = input("noise", &mean.size()).to_kind(kind);
    assert_close("latents", &vae.to_latents(&pictures(&vae, PICTURE), Some(&noise)), &tensors["latents"]);
    assert_close("pictures", &vae.to_pictures(&latents(&vae, "z", LATENT)), &tensors["pictures"]);
}

fn check_parts(name: &str, tiled: [i64; 2], kind: Kind) {
    let Reference { tensors, vae, .. } = reference(name, kind);
    let vae = vae.with_slicing(true);
    assert_close("moments, sliced", &moments(&vae.encode(&pictures(&vae, PICTURE))), &tensors["moments"]);
    assert_close("decoded, sliced", &vae.decode(&latents(&vae, "z", LATENT)), &tensors["decoded"]);
    let vae = vae.with_slicing(false).with_tiling(true);
    let large = pictures(&vae, tiled.map(|side| side * vae.config().downsampling())).narrow(0, 0, 1);
    assert_close("moments, tiled", &moments(&vae.encode(&large)), &tensors["moments_tiled"]);
    let large = latents(&vae, "z", tiled).narrow(0, 0, 1);
    assert_close("decoded, tiled", &vae.decode(&large), &tensors["decoded_tiled"]);
}

fn check_both(name: &str, tiled: [i64; 2]) {
    for kind in [Kind::Float, Kind::Double] {
        check(name, kind);
        check_parts(name, tiled, kind);
    }
}

#[test]
fn stable_diffusion_like() {
    check_both("sd15", [5, 7]);
}

#[test]
fn sdxl_like() {
    check_both("sdxl", [4, 5]);
}

#[test]
fn every_other_supported_value() {
    check_both("variant", [11, 15]);
}

/// The terms, and the gradient of their sum, by tests/parity/vae_losses.py.
fn check_losses(name: &str) {
    let expected = read_tensors(&fixtures().join("vae_losses.safetensors"), Kind::Double, Device::Cpu).unwrap();
    let vae = reference(name, Kind::Float).vae.trainable();
    let noise = latents(&vae, "noise", [2, 2]);
    let distance = Distance::Huber { c: 0.1 };
    let (reconstruction, kl) = autoencoder_losses(&vae, &pictures(&vae, [16, 16]), &noise, distance);
    assert_close("reconstruction", &reconstruction.reshape([1]), &expected[&format!("{name}.reconstruction")]);
    assert_close("kl", &kl.reshape([1]), &expected[&format!("{name}.kl")]);
    (reconstruction + kl * 0.5).backward();
    let weights: BTreeMap<_, _> = vae.variables().variables().into_iter().collect();
    let depended_on = weights.into_iter().filter(|(key, _)| !key.ends_with("to_k.bias"));
    let gradients: Vec<_> = depended_on.map(|(key, weight)| (key, weight.grad())).collect();
    assert_gradients(&gradients, &expected[&format!("{name}.grads")]);
}

#[test]
fn what_a_training_minimises() {
    check_losses("sd15");
    check_losses("sdxl");
}
