//! A step of human feedback, and the rewards that no other package has, against tests/parity/feedback.py.

use crate::support::{assert_close, assert_within, fill, fixtures, input, sketch, weight};
use crate::unet::{Reference, formula_lora, gradients, reference};
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{Denoiser, Distance, Rollout, reward_loss};
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, Sampler, SchedulerConfig};
use hyper_flow_diffusion::scores::{self, Brightness, Score};
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_diffusion::{Classifier, ClassifierConfig, DiffusionError, Tape};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// Relative, of a score and its gradient: a few layers of float32.
const SCORE: f64 = 5e-6;
/// Relative, of gradients and of what a step adds, all together and of one tensor: with the network in float64 and the rewards
/// in float32 they differ by up to 1.5e-7 and 1.0e-6 between CPUs (tests/spread.py), of which these are 6 and 10 times.
const STEP: (f64, f64) = (1e-6, 1e-5);
/// The script's position of the step with gradient among four.
const POSITION: usize = 2;
/// The script's captions, in the order of its pictures.
const CAPTIONS: [&str; 3] = ["seven", "one", "seven"];

fn expected() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("feedback.safetensors"), Kind::Double, Device::Cpu).unwrap()
}

/// The script's classifier, saved and read as a node would.
fn classifier() -> Box<dyn Score> {
    let classes = ["one", "two", "seven"].map(str::to_owned).to_vec();
    let config = ClassifierConfig { channels: 1, width: 4, features: 8, classes };
    let (vs, folder) = (nn::VarStore::new(Device::Cpu), tempfile::tempdir().unwrap());
    let _ = Classifier::new(&vs, &config);
    fill(&vs);
    Classifier::save(&vs, &config, folder.path()).unwrap();
    // Networks of half the precision are asked for: it is small, and stays in float32.
    scores::load(folder.path(), Kind::BFloat16, Device::Cpu).unwrap()
}

fn score(of: &dyn Score, pictures: &Tensor) -> Tensor {
    of.score(pictures, &of.captions(&CAPTIONS.map(str::to_owned)).unwrap())
}

fn check_score(name: &str, of: &dyn Score) {
    let expected = expected();
    let pictures = (input("pictures", &[3, 1, 9, 11]) / 3f64.sqrt()).set_requires_grad(true);
    let scores = score(of, &pictures);
    assert_eq!((scores.kind(), of.channels()), (Kind::Float, 1));
    assert_within(SCORE, name, &scores, &expected[name]);
    (scores * input("loss", &[3])).sum(Kind::Float).backward();
    assert_within(SCORE, &format!("{name}'s gradient"), &pictures.grad(), &expected[&format!("{name}.grad")]);
}

#[test]
fn a_classifier_gives_the_log_probability_of_the_captions_class() {
    check_score("classifier", &*classifier());
    let unknown = classifier().captions(&["seven".to_owned(), "eight".to_owned()]);
    assert!(
        matches!(&unknown, Err(DiffusionError::Config { message, .. }) if message.contains("`eight`")),
        "{unknown:?}"
    );
}

#[test]
fn brightness_is_the_mean_of_all_values() {
    check_score("brightness", &Brightness { channels: 1 });
    let extremes = Tensor::from_slice(&[-1f32, 1.0, 0.0]).reshape([3, 1, 1, 1]);
    assert_eq!(score(&Brightness { channels: 1 }, &extremes), Tensor::from_slice(&[0f32, 1.0, 0.5]));
}

/// What is trained, on top of the frozen student.
fn delta(like: &Lora) -> Lora {
    let delta = like.deep_copy();
    for (path, layer) in &delta.layers {
        for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
            let value = weight(&format!("delta.{path}.{part}"), &tensor.size());
            no_grad(|| tensor.shallow_clone().copy_(&value));
        }
    }
    delta.requires_grad(true)
}

/// Weighted as in the script.
fn losses(own: &Tensor, before: &Tensor) -> [Tensor; 3] {
    [
        reward_loss(&score(&*classifier(), own), -1.0) * 0.5,
        reward_loss(&score(&Brightness { channels: 1 }, own), 0.7) * 2.0,
        Distance::Mse.between(own, before) * 0.3,
    ]
}

/// Of all tensors together, and of each: the network is in float64 here, but rewards and distances are in float32.
#[track_caller]
fn assert_sketches(what: &str, tensors: &[(String, Tensor)], theirs: &Tensor) {
    let ours: Vec<_> = tensors.iter().map(|(name, tensor)| sketch(name, tensor)).collect();
    assert_within(STEP.0, what, &Tensor::stack(&ours, 0), theirs);
    for (i, (name, _)) in tensors.iter().enumerate() {
        assert_within(STEP.1, &format!("{what} of {name}"), &ours[i], &theirs.get(i as i64));
    }
}

/// What one step of the optimiser adds to each tensor, by its name.
fn step(delta: &Lora) -> Vec<(String, Tensor)> {
    let named: Vec<(String, Tensor)> =
        gradients(delta).into_iter().map(|(name, _)| name).zip(delta.tensors()).collect();
    let before: Vec<Tensor> = named.iter().map(|(_, tensor)| tensor.detach().copy()).collect();
    let config = AdamWConfig { weight_decay: 0.1, eps: 1e-3, ..AdamWConfig::default() };
    let mut optimiser = AdamW::new(named.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())), config);
    optimiser.clip_gradients(0.05);
    optimiser.step(1e-2);
    named.into_iter().zip(before).map(|((name, tensor), before)| (name, tensor.detach() - before)).collect()
}

fn check(prediction: PredictionType, name: &str) {
    let (expected, Reference { unet, mut vs, .. }) = (expected(), reference("digits"));
    vs.double();
    let of = |what: &str| &expected[&format!("{name}.{what}")];
    let schedule = NoiseSchedule::new(&SchedulerConfig::stable_diffusion(prediction)).unwrap();
    let student = formula_lora(&unet).to_kind(Kind::Double);
    let delta = delta(&student);
    let tape = Tape::off();
    let plan = Sampler::DDIM_TRAILING.plan(&schedule, 4).unwrap();
    let rollout = Rollout {
        denoiser: Denoiser { unet: &unet, schedule: &schedule },
        student: Adapters::one(&student).with(&delta, 1.0),
        trained: Adapters::one(&student).with(&delta, 1.0),
        frozen: Some(Adapters::one(&student)),
    };
    let double = |name: &str, shape: &[i64]| input(name, shape).to_kind(Kind::Double);
    let (noise, text) = (double("noise", &[3, 1, 8, 8]), double("text", &[3, 5, 32]));
    let (own, before) = rollout.samples(&tape, &plan, POSITION, &noise, &text.into(), &mut Rng::at(0, "", 0));
    let before = before.expect("it was asked for");
    assert_close("the student's x0", &own, of("own"));
    assert_close("x0 before feedback", &before, of("before"));
    let losses = losses(&own, &before);
    assert_within(SCORE, "losses", &Tensor::stack(&losses, 0), of("losses"));
    losses.into_iter().sum::<Tensor>().backward();
    assert_sketches("gradients", &gradients(&delta), of("grads"));
    assert!(student.tensors().iter().all(|t| !t.grad().defined()), "the student is frozen");
    assert!(vs.variables().values().all(|t| !t.grad().defined()), "the base is frozen");
    assert_sketches("step", &step(&delta), of("step"));
}

#[test]
fn a_step_of_a_v_model() {
    check(PredictionType::VPrediction, "v");
}

#[test]
fn a_step_of_an_epsilon_model() {
    check(PredictionType::Epsilon, "epsilon");
}
