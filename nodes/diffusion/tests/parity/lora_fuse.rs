//! Adapters in the weights: against diffusers' output with the LoRA beside them, and out again.

use crate::support::{assert_close, assert_within};
use crate::unet::{Reference, formula_lora, forward, reference, sizes};
use hyper_flow_diffusion::lora::{Adapters, Lora, LoraLayer, fuse, unfuse};
use std::collections::BTreeMap;
use tch::{Kind, Tensor, nn};

fn weights(vs: &nn::VarStore) -> BTreeMap<String, Tensor> {
    vs.variables().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
}

/// Linear layers, convolutions of 1×1, 3×3 and with strides.
#[test]
fn what_is_fused_computes_what_diffusers_does_and_comes_out_again() {
    let Reference { tensors, vs, unet, .. } = reference("sd15");
    let (before, lora) = (weights(&vs), formula_lora(&unet));
    let output = || forward(&unet, sizes(&unet).0, &Adapters::none());
    fuse(&vs, &lora, 1.0).unwrap();
    assert_close("fused", &output(), &tensors["output_lora"]);
    // Twice as much is the adapter once in the weights and once beside them.
    let both = forward(&unet, sizes(&unet).0, &Adapters::one(&lora));
    fuse(&vs, &lora, 1.0).unwrap();
    assert_close("fused twice", &output(), &both);
    unfuse(&vs, &lora, 2.0).unwrap();
    assert_close("out again", &output(), &tensors["output"]);
    for (name, weight) in weights(&vs) {
        let delta = name.strip_suffix(".weight").and_then(|path| lora.delta(path));
        let size = delta.map_or_else(|| before[&name].abs(), |delta| before[&name].abs() + delta.abs() * 2.0);
        // Three roundings.
        let excess = (weight - &before[&name]).abs() - size * 3.0 * f64::powi(2.0, -24);
        assert!(excess.max().double_value(&[]) <= 0.0, "{name}");
    }
}

#[test]
fn the_sum_is_rounded_once() {
    let Reference { mut vs, unet, .. } = reference("digits");
    let lora = formula_lora(&unet);
    let exact = weights(&vs);
    vs.set_kind(Kind::BFloat16);
    let rounded = weights(&vs);
    fuse(&vs, &lora, 0.5).unwrap();
    let name = "mid_block.resnets.0.conv1.weight";
    let sum = rounded[name].to_kind(Kind::Float) + lora.delta("mid_block.resnets.0.conv1").unwrap() * 0.5;
    assert_eq!(vs.variables()[name], sum.to_kind(Kind::BFloat16));
    assert_within(0.01, name, &sum, &(&exact[name] + lora.delta("mid_block.resnets.0.conv1").unwrap() * 0.5));
}

#[test]
fn a_module_that_does_not_fit_is_named_and_nothing_is_changed() {
    let Reference { vs, unet, .. } = reference("digits");
    let before = weights(&vs);
    let mut lora: Lora = formula_lora(&unet);
    let LoraLayer { down, up, alpha } = lora.layers.remove("mid_block.resnets.0.conv1").unwrap();
    lora.layers.insert("up_blocks.9.conv".to_owned(), LoraLayer { down, up, alpha });
    let error = fuse(&vs, &lora, 1.0).unwrap_err().to_string();
    assert_eq!(error, "lora: up_blocks.9.conv is no module of the model");
    assert_eq!(weights(&vs), before);
}
