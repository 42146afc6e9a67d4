//! Dropout of adapters against peft's, by tests/parity/lora_dropout.py.

use crate::support::{assert_close, assert_gradients, fixtures, input};
use crate::unet::{Reference, formula_lora, forward, gradients, reference, sizes};
use hyper_flow_diffusion::lora::{Adapters, Dropout};
use hyper_flow_diffusion::weights::read_tensors;
use tch::{Device, Kind};

#[test]
fn outputs_and_gradients_are_pefts() {
    let theirs = read_tensors(&fixtures().join("lora_dropout.safetensors"), Kind::Float, Device::Cpu).unwrap();
    let Reference { mut vs, unet, .. } = reference("digits");
    for kind in [Kind::Float, Kind::Double] {
        vs.set_kind(kind);
        let lora = formula_lora(&unet).to_kind(kind).requires_grad(true);
        let adapters = Adapters::one(&lora).dropout(Some(Dropout { p: 0.25, seed: 7, part: 1 }));
        let output = forward(&unet, sizes(&unet).0, &adapters);
        assert_close("output", &output, &theirs["output"]);
        (&output * input("loss", &output.size())).sum(kind).backward();
        assert_gradients(&gradients(&lora), &theirs["grads"]);
    }
}
