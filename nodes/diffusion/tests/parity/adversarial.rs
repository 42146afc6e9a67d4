//! Discriminators and the two players' steps against tests/parity/adversarial.py.

use crate::losses::{Case, SHAPE, adamw, assert_moved, copies, named, segments, share};
use crate::support::{assert_close, assert_gradients, fixtures, input, sketch, weight};
use crate::unet::{gradients, reference};
use hyper_flow_diffusion::discriminator::Discriminator;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::{Distance, Weighting, discriminator_loss, generator_loss, trajectory_jumps};
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig};
use hyper_flow_diffusion::schedulers::PredictionType;
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_diffusion::{Conditions, Tape};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// The script's weight of the adversarial term.
const WEIGHT: f64 = 0.3;
/// The script's factor on the last weights: some logits are then beyond the hinge.
const LOUDER: f64 = 6.0;

type Make = for<'a> fn(&'a UNet2DConditionModel, &nn::VarStore) -> Discriminator<'a>;

fn heads<'a>(unet: &'a UNet2DConditionModel, _: &nn::VarStore) -> Discriminator<'a> {
    Discriminator::heads(unet, Device::Cpu, 0)
}

fn encoder<'a>(unet: &'a UNet2DConditionModel, weights: &nn::VarStore) -> Discriminator<'a> {
    Discriminator::encoder(unet, weights, 0).unwrap()
}

/// The weight that makes the logits.
fn is_last(name: &str) -> bool {
    name.ends_with("conv_out.weight") || name.ends_with("linear.weight")
}

/// With the formula's weights in what is fresh; what is copied from the UNet has them already.
fn filled<'a>(make: Make, unet: &'a UNet2DConditionModel, weights: &nn::VarStore) -> Discriminator<'a> {
    let discriminator = make(unet, weights);
    for (name, parameter) in discriminator.parameters().iter().filter(|(name, _)| name.starts_with("head")) {
        let value = weight(name, &parameter.size()) * if is_last(name) { LOUDER } else { 1.0 };
        no_grad(|| parameter.shallow_clone().copy_(&value));
    }
    discriminator
}

fn expected(name: &str) -> BTreeMap<String, Tensor> {
    let all = read_tensors(&fixtures().join("adversarial.safetensors"), Kind::Double, Device::Cpu).unwrap();
    all.into_iter().filter_map(|(key, x)| Some((key.strip_prefix(name)?.strip_prefix('.')?.to_owned(), x))).collect()
}

fn text() -> Conditions {
    input("text", &[4, 5, 32]).into()
}

fn times() -> Tensor {
    Tensor::from_slice(&[999i64, 400, 20, 0])
}

fn numbered(tensors: &[Tensor]) -> Vec<(String, Tensor)> {
    tensors.iter().enumerate().map(|(i, x)| (format!("logits.{i}"), x.detach())).collect()
}

fn gradients_of(discriminator: &Discriminator<'_>) -> Vec<(String, Tensor)> {
    discriminator.parameters().into_iter().map(|(name, parameter)| (name, parameter.grad())).collect()
}

#[test]
fn features_are_what_blocks_make() {
    let (mut model, expected) = (reference("digits"), expected("features"));
    model.vs.double();
    let [real, text] = [input("real", SHAPE), text().text].map(|x| x.to_kind(Kind::Double));
    let features = model.unet.features(&real, &times(), &text, None, &Adapters::none(), &Tape::off());
    assert_eq!(features.iter().map(|x| x.size()[1]).collect::<Vec<_>>(), model.unet.feature_channels());
    assert_eq!(features.len(), expected.len());
    for (i, feature) in features.iter().enumerate() {
        let name = format!("features.{i}");
        assert_close(&name, &sketch(&name, feature), &expected[&i.to_string()]);
    }
}

/// Logits, hinge losses, and whom their gradients reach.
fn check(name: &str, make: Make) {
    let (model, expected) = (reference("digits"), expected(name));
    let discriminator = filled(make, &model.unet, &model.vs);
    let (real, fake) = (input("real", SHAPE), input("fake", SHAPE));
    // 1. the discriminator's loss
    let [of_real, of_fake] = [&real, &fake].map(|x| discriminator.logits(x, &times(), &text(), &Tape::off()));
    assert_gradients(&numbered(&of_real), &expected["real"]);
    assert_gradients(&numbered(&of_fake), &expected["fake"]);
    let loss = discriminator_loss(&of_real, &of_fake);
    assert_close("hinge", &loss.reshape([1]), &expected["hinge"]);
    loss.backward();
    assert_gradients(&gradients_of(&discriminator), &expected["hinge.grads"]);
    assert!(model.vs.variables().values().all(|x| !x.grad().defined()), "the teacher is frozen");
    // 2. the generator's
    let before: Vec<_> = gradients_of(&discriminator).into_iter().map(|(_, gradient)| gradient.copy()).collect();
    discriminator.set_trained(false);
    for tape in [Tape::off(), Tape::new()] {
        let fake = fake.copy().set_requires_grad(true);
        let loss = generator_loss(&discriminator.logits(&fake, &times(), &text(), &tape));
        assert_close("generator", &loss.reshape([1]), &expected["generator"]);
        tape.backward(loss).unwrap();
        assert_close("generator.grad", &fake.grad(), &expected["generator.grad"]);
    }
    let after = gradients_of(&discriminator).into_iter().map(|(_, gradient)| gradient);
    assert!(after.zip(before).all(|(after, before)| after == before), "the generator's loss does not train it");
}

#[test]
fn heads_on_frozen_features() {
    check("heads", heads);
}

#[test]
fn a_trained_copy_of_the_encoder() {
    check("encoder", encoder);
}

/// A step of the discriminator, then one of the student against it, in float64.
fn check_steps(name: &str, make: Make) {
    let case = Case::of_kind(Kind::Double, PredictionType::VPrediction);
    let expected = expected(&format!("{name}.step"));
    let discriminator = filled(make, &case.model.unet, &case.model.vs);
    discriminator
        .parameters()
        .iter_mut()
        .for_each(|(_, parameter)| parameter.set_data(&parameter.to_kind(Kind::Double)));
    let noise = input("adversarial.noise", SHAPE).to_kind(Kind::Double);
    let (text, to) = (text().to_kind(Kind::Double), Tensor::from_slice(&[998i64, 749, 300, 17]));
    let of = case.of(&case.average, Weighting::Uniform, Distance::Mse);
    let jumps = case.jumps(&of, trajectory_jumps, &segments());
    let judged = |x: &Tensor| {
        let x_t = case.schedule.renoise(x, &noise, &jumps.end, &to);
        discriminator.logits(&x_t, &to, &text, &Tape::off())
    };
    // 1. the discriminator
    let before = copies(&discriminator.parameters());
    let loss = discriminator_loss(&judged(&jumps.goal), &judged(&jumps.prediction.detach()));
    assert_close("hinge", &loss.reshape([1]), &expected["hinge"]);
    loss.backward();
    adamw(share(&discriminator.parameters()), (0.0, 0.999)).step(0.3);
    assert_moved(&discriminator.parameters(), &before, &expected["discriminator"]);
    // 2. the student
    discriminator.set_trained(false);
    let student = named(&case.student);
    let before = copies(&student);
    let losses = [of.between(&jumps), generator_loss(&judged(&jumps.prediction)) * WEIGHT];
    assert_close("losses", &Tensor::stack(&losses, 0), &expected["losses"]);
    losses.into_iter().sum::<Tensor>().backward();
    assert_gradients(&gradients(&case.student), &expected["grads"]);
    adamw(share(&student), (0.9, 0.999)).step(0.3);
    assert_moved(&student, &before, &expected["student"]);
}

#[test]
fn a_step_of_heads_and_a_step_of_the_student() {
    check_steps("heads", heads);
}

#[test]
fn a_step_of_an_encoder_and_a_step_of_the_student() {
    check_steps("encoder", encoder);
}

/// A discriminator learns to tell two samples apart, and then a sample learns to pass before it.
fn check_learning(name: &str, make: Make) {
    let (case, t) = (Case::new(PredictionType::VPrediction), times());
    let discriminator = make(&case.model.unet, &case.model.vs);
    let logits = |x: &Tensor| discriminator.logits(x, &t, &text(), &Tape::off());
    let (real, fake) = (input("real", SHAPE), input("fake", SHAPE) * 0.7);
    let train = |parameters: Vec<(String, Tensor)>, loss: &dyn Fn() -> Tensor| {
        let mut optimiser = AdamW::new(parameters, AdamWConfig { weight_decay: 0.0, ..AdamWConfig::default() });
        let losses = (0..30).map(|_| {
            let loss = loss();
            optimiser.zero_grad();
            loss.backward();
            optimiser.step(1e-2);
            loss.double_value(&[])
        });
        let losses: Vec<_> = losses.collect();
        (losses[0], losses[29])
    };
    let (first, last) = train(discriminator.parameters(), &|| discriminator_loss(&logits(&real), &logits(&fake)));
    assert!(last < 0.5 * first, "{name}, discriminator: {first} to {last}");
    discriminator.set_trained(false);
    let x = fake.copy().set_requires_grad(true);
    let (first, last) = train(vec![("x".into(), x.shallow_clone())], &|| generator_loss(&logits(&x)));
    assert!(last < 0.8 * first, "{name}, sample: {first} to {last}");
}

#[test]
fn both_players_learn() {
    check_learning("heads", heads);
    check_learning("encoder", encoder);
}

#[test]
fn weights_of_another_unet_are_not_copied() {
    let (small, other) = (reference("digits"), reference("sd15"));
    let error = Discriminator::encoder(&small.unet, &other.vs, 0).unwrap_err().to_string();
    assert!(error.contains("is not in the weights that it should be copied from"), "{error}");
}
