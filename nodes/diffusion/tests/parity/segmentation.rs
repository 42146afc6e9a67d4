//! The small segmentation network, its losses and the visual-perception term against tests/parity/segmentation.py, which
//! computes them in float64.

use crate::support::{assert_close, assert_gradients, assert_within, fill, fixtures, input};
use crate::unet::{formula_lora, gradients, reference};
use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig};
use hyper_flow_diffusion::segmentation::{
    self, ConvSegmenter, ConvSegmenterConfig, Segment, dice_loss, intersection_over_union, mask_loss,
};
use hyper_flow_diffusion::weights::read_tensors;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// Losses without a network: a few float32 operations.
const ELEMENTARY: f64 = 1e-6;
const SHAPE: &[i64] = &[4, 1, 8, 8];

fn expected() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("segmentation.safetensors"), Kind::Double, Device::Cpu).unwrap()
}

fn config(channels: i64) -> ConvSegmenterConfig {
    ConvSegmenterConfig { channels, width: 4, levels: 2 }
}

fn segmenter(channels: i64) -> (nn::VarStore, ConvSegmenter) {
    let vs = nn::VarStore::new(Device::Cpu);
    let segmenter = ConvSegmenter::new(&vs, &config(channels));
    fill(&vs);
    (vs, segmenter)
}

/// The script's: soft ones.
fn masks(name: &str, shape: &[i64]) -> Tensor {
    (input(name, shape).to_kind(Kind::Double) * 4.0).sigmoid().to_kind(Kind::Float)
}

fn one(loss: &Tensor) -> Tensor {
    assert_eq!((loss.size(), loss.kind()), (vec![], Kind::Float));
    loss.reshape([1])
}

#[test]
fn logits_of_even_and_odd_sides() {
    let (_, segmenter) = segmenter(3);
    for side in [8, 13] {
        let logits = segmenter.logits(&input(&format!("pictures.{side}"), &[2, 3, side, side]));
        assert_eq!(logits.size(), [2, 1, side, side]);
        assert_close(&format!("side {side}"), &logits, &expected()[&format!("logits.{side}")]);
    }
}

#[test]
fn gradients_of_its_training() {
    let (vs, segmenter) = segmenter(3);
    mask_loss(&segmenter.logits(&input("pictures.8", &[2, 3, 8, 8])), &masks("masks.8", &[2, 1, 8, 8])).backward();
    let gradients: BTreeMap<_, _> = vs.variables().into_iter().map(|(name, x)| (name, x.grad())).collect();
    assert_gradients(&gradients.into_iter().collect::<Vec<_>>(), &expected()["train.grads"]);
}

/// Logits and masks: both of something, of nothing where there is something, and both of nothing.
fn pairs() -> (Tensor, Tensor) {
    let (logits, target) = (input("logits", &[3, 1, 6, 6]) * 3.0, masks("target", &[3, 1, 6, 6]));
    logits.get(2).copy_(&-logits.get(2).abs());
    let _ = target.narrow(0, 1, 2).zero_();
    (logits, target)
}

#[test]
fn losses_of_masks() {
    let expected = expected();
    for (name, loss) in [("mask_loss", mask_loss as fn(&Tensor, &Tensor) -> Tensor), ("dice", dice_loss)] {
        let (logits, target) = pairs();
        let logits = logits.set_requires_grad(true);
        let value = loss(&logits, &target);
        assert_within(ELEMENTARY, name, &one(&value), &expected[name]);
        value.backward();
        assert_within(ELEMENTARY, &format!("{name}.grad"), &logits.grad(), &expected[&format!("{name}.grad")]);
    }
}

#[test]
fn overlap() {
    let (logits, target) = pairs();
    let ours = intersection_over_union(&logits, &target);
    assert_within(ELEMENTARY, "iou", &ours, &expected()["iou"]);
    assert_eq!(Vec::<f32>::try_from(ours.narrow(0, 1, 2)).unwrap(), [0.0, 1.0], "one is empty, both are");
}

/// Each noised picture is at a timestep of its own; the gradient reaches the student through the network, with a tape and
/// without.
fn check_perception(prediction: PredictionType, name: &str) {
    let (model, (vs, segmenter), expected) = (reference("digits"), segmenter(1), expected());
    vs.variables().into_values().for_each(|x| drop(x.set_requires_grad(false)));
    let schedule = NoiseSchedule::new(&SchedulerConfig::stable_diffusion(prediction)).unwrap();
    let denoiser = Denoiser { unet: &model.unet, schedule: &schedule };
    let (x0, noise, text) = (input("x0", SHAPE), input("noise", SHAPE), input("text", &[4, 5, 32]).into());
    let t = Tensor::from_slice(&[749i64, 499, 374, 124]);
    let student = formula_lora(&model.unet).requires_grad(true);
    for tape in [Tape::off(), Tape::new()] {
        student.tensors().iter_mut().for_each(Tensor::zero_grad);
        let pictures = denoiser.denoised_on(&tape, &x0, &noise, &t, &text, &Adapters::one(&student));
        let loss = mask_loss(&segmenter.logits(&pictures), &masks("masks", SHAPE));
        assert_close(name, &one(&loss), &expected[name]);
        tape.backward(loss).unwrap();
        assert_gradients(&gradients(&student), &expected[&format!("{name}.grads")]);
    }
}

#[test]
fn perception_of_a_v_model() {
    check_perception(PredictionType::VPrediction, "perception.v");
}

#[test]
fn perception_of_an_epsilon_model() {
    check_perception(PredictionType::Epsilon, "perception.epsilon");
}

#[test]
fn a_saved_network_is_read_back() {
    let ((vs, segmenter), folder) = (segmenter(3), tempfile::tempdir().unwrap());
    ConvSegmenter::save(&vs, &config(3), folder.path()).unwrap();
    let read = segmentation::load(folder.path(), Device::Cpu).unwrap();
    let pictures = input("pictures.8", &[2, 3, 8, 8]);
    assert_eq!(read.channels(), 3);
    assert_eq!(no_grad(|| read.logits(&pictures)), no_grad(|| segmenter.logits(&pictures)));
    assert!(!read.logits(&pictures).requires_grad(), "it is frozen");
    std::fs::write(folder.path().join("config.json"), "{\"solo\": {}}").unwrap();
    let error = segmentation::load(folder.path(), Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("unknown variant `solo`, expected `conv`"), "{error}");
}
