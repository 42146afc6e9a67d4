//! The UNet against diffusers and peft: fixtures by tests/parity/unet.py.

use crate::support::{assert_close, assert_gradients, config, described, fill, fixtures, input, lora_weight};
use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::{Adapters, LORA_TARGETS, Lora};
use hyper_flow_diffusion::unet::{AddedConditions, UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::read_tensors;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn};

const RANK: i64 = 2;
const ALPHA: f64 = 3.0;
pub(crate) struct Reference {
    keys: BTreeMap<String, Vec<i64>>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) vs: nn::VarStore,
    pub(crate) unet: UNet2DConditionModel,
}

pub(crate) fn reference(name: &str) -> Reference {
    let config = UNet2DConditionConfig::read(config(name).path()).unwrap();
    let mut vs = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&vs, &config).unwrap();
    fill(&vs);
    vs.freeze();
    let path = fixtures().join(format!("unet_{name}.safetensors"));
    let tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    Reference { keys: serde_json::from_value(described(name)["keys"].clone()).unwrap(), tensors, vs, unet }
}

pub(crate) fn sizes(unet: &UNet2DConditionModel) -> ([i64; 2], [i64; 2]) {
    let size = unet.config().sample_size.clone().unwrap();
    let [height, width] = [size.get(0), size.get(1)];
    ([height, width], [height + 1, width - 1])
}

pub(crate) fn forward(unet: &UNet2DConditionModel, size: [i64; 2], adapters: &Adapters<'_>) -> Tensor {
    let sample = input("sample", &[2, unet.config().in_channels, size[0], size[1]]).to_kind(unet.kind());
    forward_from(unet, &sample, adapters, &Tape::off())
}

/// The output for a sample, at the timesteps and on the conditions of tests/parity/unet.py.
pub(crate) fn forward_from<'m>(
    unet: &'m UNet2DConditionModel,
    sample: &Tensor,
    adapters: &Adapters<'m>,
    tape: &Tape<'m>,
) -> Tensor {
    let config = unet.config();
    let text = input("text", &[2, 5, config.cross_attention_dim.get(0)]);
    let time_ids = [[512i64, 768, 0, 16, 512, 768], [1024, 1024, 8, 0, 1024, 1024]].concat();
    let added = config.addition_embed_type.map(|_| AddedConditions {
        text_embeds: input("text_embeds", &[2, 10]),
        time_ids: Tensor::from_slice(&time_ids).reshape([2, 6]),
    });
    unet.forward(sample, &Tensor::from_slice(&[999i64, 20]), &text, added.as_ref(), adapters, tape)
}

pub(crate) fn formula_lora(unet: &UNet2DConditionModel) -> Lora {
    let (lora, clipped) = Lora::new(&unet.lora_targets(&LORA_TARGETS).unwrap(), RANK, ALPHA, 0);
    assert!(clipped.is_empty());
    for (path, layer) in &lora.layers {
        for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
            tch::no_grad(|| tensor.shallow_clone().copy_(&lora_weight(path, part, &tensor.size())));
        }
    }
    lora
}

fn check(name: &str) {
    let Reference { keys, tensors, mut vs, unet } = reference(name);
    // 1. names and shapes
    let ours: BTreeMap<_, _> = vs.variables().into_iter().map(|(key, t)| (key, t.size())).collect();
    assert_eq!(ours, keys);
    // 2. forward
    let (size, odd) = sizes(&unet);
    assert_close("output", &forward(&unet, size, &Adapters::none()), &tensors["output"]);
    assert_close("output at an odd size", &forward(&unet, odd, &Adapters::none()), &tensors["output_odd"]);
    // 3. forward with LoRA
    let lora = formula_lora(&unet);
    assert_close("output with LoRA", &forward(&unet, size, &Adapters::one(&lora)), &tensors["output_lora"]);
    // 4. gradients
    check_gradients(&unet, lora, &tensors["grads"]);
    vs.double();
    assert_close("output in float64", &forward(&unet, size, &Adapters::none()), &tensors["output"]);
    check_gradients(&unet, formula_lora(&unet).to_kind(Kind::Double), &tensors["grads"]);
    assert!(vs.variables().values().all(|t| !t.grad().defined()), "the base is frozen");
}

fn check_gradients(unet: &UNet2DConditionModel, lora: Lora, theirs: &Tensor) {
    let lora = lora.requires_grad(true);
    let output = forward(unet, sizes(unet).0, &Adapters::one(&lora));
    (&output * input("loss", &output.size())).sum(output.kind()).backward();
    assert_gradients(&gradients(&lora), theirs);
}

/// The gradients that a LoRA has got, in the order of its tensors.
pub(crate) fn gradients(lora: &Lora) -> Vec<(String, Tensor)> {
    let names = lora.layers.keys().flat_map(|path| ["down", "up"].map(|part| format!("{path}.{part}")));
    names.zip(lora.tensors()).map(|(name, tensor)| (name, tensor.grad())).collect()
}

#[test]
fn digits_like() {
    check("digits");
}

#[test]
fn stable_diffusion_1_5_like() {
    check("sd15");
}

#[test]
fn stable_diffusion_2_1_like() {
    check("sd21");
}

#[test]
fn sdxl_like() {
    check("sdxl");
}

#[test]
fn every_other_supported_value() {
    check("variant");
}
