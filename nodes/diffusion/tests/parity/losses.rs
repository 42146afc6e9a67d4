//! The losses against tests/parity/losses.py, which computes them in float64 from the papers' formulas.

use crate::support::{assert_close, assert_gradients, assert_within, fixtures, input, sketch, weight};
use crate::unet::{Reference, formula_lora, gradients, reference};
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{
    Consistency, Denoiser, Distance, Jumps, SnrWeighting, Weighting, contrastive_loss, denoising_loss,
    distribution_matching_loss, latent_consistency_jumps, reward_loss, trajectory_jumps,
};
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig, Average};
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig, SegmentDraw, SegmentGrid};
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_diffusion::{Conditions, Tape};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, no_grad};

/// Losses without a network: a few float32 operations.
const ELEMENTARY: f64 = 1e-6;
const HUBER: Distance = Distance::Huber { c: 1e-3 };

fn expected() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("losses.safetensors"), Kind::Double, Device::Cpu).unwrap()
}

fn one(loss: &Tensor) -> Tensor {
    assert_eq!((loss.size(), loss.kind()), (vec![], Kind::Float));
    loss.reshape([1])
}

/// The models and inputs of the script.
pub(crate) struct Case {
    pub(crate) model: Reference,
    pub(crate) schedule: NoiseSchedule,
    pub(crate) student: Lora,
    pub(crate) average: Lora,
    empty: Conditions,
}

impl Case {
    pub(crate) fn new(prediction: PredictionType) -> Self {
        Self::of_kind(Kind::Float, prediction)
    }

    /// In float64 what is compared after steps: rounding of float32 turns some ReLUs and hinges on or off, and moves weights
    /// whose gradient is nearly zero, by another amount on every CPU.
    pub(crate) fn of_kind(kind: Kind, prediction: PredictionType) -> Self {
        let mut model = reference("digits");
        model.vs.set_kind(kind);
        let (student, average) = (formula_lora(&model.unet), formula_lora(&model.unet));
        for (path, layer) in &average.layers {
            for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
                let value = weight(&format!("average.{path}.{part}"), &tensor.size());
                no_grad(|| tensor.shallow_clone().copy_(&value));
            }
        }
        let schedule = NoiseSchedule::new(&SchedulerConfig::stable_diffusion(prediction)).unwrap();
        let (student, average) = (student.to_kind(kind).requires_grad(true), average.to_kind(kind));
        Self { model, schedule, student, average, empty: input("empty", &[1, 5, 32]).to_kind(kind).into() }
    }

    pub(crate) fn denoiser(&self) -> Denoiser<'_> {
        Denoiser { unet: &self.model.unet, schedule: &self.schedule }
    }

    pub(crate) fn of<'a>(&'a self, target: &'a Lora, weighting: Weighting, distance: Distance) -> Consistency<'a> {
        Consistency {
            denoiser: self.denoiser(),
            student: Adapters::one(&self.student),
            target: Adapters::one(target),
            empty: &self.empty,
            distance,
            weighting,
        }
    }

    /// Where student and target lead.
    pub(crate) fn jumps<'a>(&'a self, of: &Consistency<'a>, method: Method<'a>, draw: &SegmentDraw) -> Jumps {
        let w = Tensor::from_slice(&[1f32, 1.5, 3.0, 7.5]);
        let input = |name: &str, shape: &[i64]| input(name, shape).to_kind(self.model.unet.kind());
        let (x0, noise, text) = (input("x0", SHAPE), input("noise", SHAPE), input("text", &[4, 5, 32]));
        method(&Tape::off(), of, draw, &x0, &noise, &text.into(), &w)
    }

    fn consistency(&self, target: &Lora, weighting: Weighting, distance: Distance) -> Tensor {
        let of = self.of(target, weighting, distance);
        of.between(&self.jumps(&of, trajectory_jumps, &segments()))
    }

    /// The loss and its gradients with respect to the student are those of the script.
    fn check(&self, name: &str, loss: &Tensor) {
        let expected = expected();
        assert_close(name, &one(loss), &expected[name]);
        for mut tensor in self.student.tensors() {
            tensor.zero_grad();
        }
        loss.backward();
        assert_gradients(&gradients(&self.student), &expected[&format!("{name}.grads")]);
        assert!(self.average.tensors().iter().all(|t| !t.grad().defined()), "the target has no gradient");
        assert!(self.model.vs.variables().values().all(|t| !t.grad().defined()), "the base is frozen");
    }
}

/// One of the functions that give jumps.
type Method<'a> = fn(&Tape<'a>, &Consistency<'a>, &SegmentDraw, &Tensor, &Tensor, &Conditions, &Tensor) -> Jumps;

pub(crate) const SHAPE: &[i64] = &[4, 1, 8, 8];

/// The script's timesteps: grid indices n and e of N = 40, of which e must lie in n's of k segments.
fn draw_of(segments: usize, ends: [usize; 4]) -> SegmentDraw {
    let grid = SegmentGrid::new(1000, 40, segments).unwrap();
    let indices: Vec<_> = [40usize, 31, 15, 1].into_iter().zip(ends).collect();
    assert!(indices.iter().all(|&(n, e)| grid.segment_start(n) <= e && e < n));
    let points = |index: fn(&(usize, usize)) -> usize| {
        Tensor::from_slice(&indices.iter().map(|pair| grid.points()[index(pair)]).collect::<Vec<_>>())
    };
    SegmentDraw { start: points(|&(n, _)| n), previous: points(|&(n, _)| n - 1), end: points(|&(_, e)| e) }
}

pub(crate) fn segments() -> SegmentDraw {
    draw_of(4, [30, 30, 10, 0])
}

fn check_consistency(prediction: PredictionType, name: &str) {
    let case = Case::new(prediction);
    for (weighting, as_written) in [(Weighting::Uniform, "uniform"), (Weighting::Jump, "jump")] {
        for (distance, d) in [(Distance::Mse, "mse"), (HUBER, "huber")] {
            let loss = case.consistency(&case.average, weighting, distance);
            case.check(&format!("consistency.{name}.{as_written}.{d}"), &loss);
        }
    }
}

#[test]
fn consistency_of_a_v_model() {
    check_consistency(PredictionType::VPrediction, "v");
}

#[test]
fn consistency_of_an_epsilon_model() {
    check_consistency(PredictionType::Epsilon, "epsilon");
}

#[test]
fn the_student_as_its_own_target_gets_no_gradient_from_it() {
    let case = Case::new(PredictionType::VPrediction);
    case.check("consistency.v.stopgrad", &case.consistency(&case.student, Weighting::Uniform, HUBER));
}

fn check_siblings(prediction: PredictionType, name: &str) {
    let case = Case::new(prediction);
    let of = case.of(&case.average, Weighting::Uniform, HUBER);
    // Of k = 2, each at the start of its segment.
    let starts = SegmentGrid::new(1000, 40, 2).unwrap();
    let pcm = draw_of(2, [40, 31, 15, 1].map(|n| starts.segment_start(n)));
    for (method, draw) in [("tcd", draw_of(1, [7, 22, 3, 0])), ("pcm", pcm)] {
        case.check(&format!("{method}.{name}"), &of.between(&case.jumps(&of, trajectory_jumps, &draw)));
    }
    for (weighting, as_written) in [(Weighting::Uniform, "uniform"), (Weighting::Jump, "jump")] {
        let of = case.of(&case.average, weighting, HUBER);
        let jumps = case.jumps(&of, latent_consistency_jumps, &segments());
        assert_eq!(Vec::<i64>::try_from(&jumps.end).unwrap(), [-1; 4]);
        case.check(&format!("lcm.{name}.{as_written}"), &of.between(&jumps));
    }
}

#[test]
fn tcd_pcm_and_lcm_of_a_v_model() {
    check_siblings(PredictionType::VPrediction, "v");
}

#[test]
fn tcd_pcm_and_lcm_of_an_epsilon_model() {
    check_siblings(PredictionType::Epsilon, "epsilon");
}

/// AdamW as in the scripts, with an epsilon that does not let it blow up what is rounding.
pub(crate) fn adamw(parameters: Vec<(String, Tensor)>, betas: (f64, f64)) -> AdamW {
    AdamW::new(parameters, AdamWConfig { betas, eps: 1.0, weight_decay: 0.0 })
}

/// The tensors of a LoRA by name, in the order of its gradients.
pub(crate) fn named(lora: &Lora) -> Vec<(String, Tensor)> {
    gradients(lora).into_iter().zip(lora.tensors()).map(|((name, _), tensor)| (name, tensor)).collect()
}

pub(crate) fn share(tensors: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
}

pub(crate) fn copies(tensors: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect()
}

/// Panics unless tensors have moved as those in `theirs`, by their sketches.
pub(crate) fn assert_moved(tensors: &[(String, Tensor)], before: &[(String, Tensor)], theirs: &Tensor) {
    let pairs = tensors.iter().zip(before);
    let moves: Vec<_> = pairs.map(|((name, tensor), (_, before))| sketch(name, &(tensor.detach() - before))).collect();
    assert_close("all moves", &Tensor::stack(&moves, 0), theirs);
}

#[test]
fn three_steps_with_a_target_that_follows_the_student() {
    let (case, expected) = (Case::of_kind(Kind::Double, PredictionType::VPrediction), expected());
    let (student, average) = (named(&case.student), named(&case.average));
    let before = copies(&student);
    for ((_, average), (_, student)) in average.iter().zip(&before) {
        no_grad(|| average.shallow_clone().copy_(student));
    }
    let mut optimiser = adamw(share(&student), (0.9, 0.999));
    let mut averages = Average::new(share(&average));
    let mut losses = Vec::new();
    for _ in 0..3 {
        optimiser.zero_grad();
        let loss = case.consistency(&case.average, Weighting::Uniform, Distance::Mse);
        loss.backward();
        optimiser.step(0.03);
        losses.push(loss.detach());
        averages.follow(&optimiser, 0.6);
    }
    assert_close("losses", &Tensor::stack(&losses, 0), &expected["ema"]);
    assert_gradients(&gradients(&case.student), &expected["ema.grads"]);
    assert_moved(&student, &before, &expected["ema.student"]);
    assert_moved(&average, &before, &expected["ema.average"]);
}

#[test]
fn denoising() {
    for (prediction, name) in [(PredictionType::VPrediction, "v"), (PredictionType::Epsilon, "epsilon")] {
        let case = Case::new(prediction);
        let t = Tensor::from_slice(&[999i64, 400, 20, 0]);
        let (x0, noise, text) = (input("x0", SHAPE), input("noise", SHAPE), input("text", &[4, 5, 32]));
        for (weighting, suffix) in [(SnrWeighting::Uniform, ""), (SnrWeighting::MinSnr { gamma: 5.0 }, ".min_snr")] {
            let student = Adapters::one(&case.student);
            let text = text.shallow_clone().into();
            let loss = denoising_loss(&Tape::off(), &case.denoiser(), &x0, &noise, &t, &text, &student, weighting);
            case.check(&format!("denoising.{name}{suffix}"), &loss);
        }
    }
}

/// The loss and its gradient with respect to `x` are those of the script.
fn check_elementary(name: &str, x: &Tensor, loss: &Tensor) {
    let expected = expected();
    assert_within(ELEMENTARY, name, &one(loss), &expected[name]);
    loss.backward();
    assert_within(ELEMENTARY, &format!("{name}.grad"), &x.grad(), &expected[&format!("{name}.grad")]);
}

#[test]
fn distribution_matching() {
    let [x, real, fake] = ["x", "real", "fake"].map(|name| input(&format!("matching.{name}"), &[3, 2, 4, 4]));
    for score in [&real, &fake] {
        score.get(1).copy_(&x.get(1));
    }
    let x = x.set_requires_grad(true);
    let scores = [&real, &fake].map(|score| score.shallow_clone().set_requires_grad(true));
    check_elementary("matching", &x, &distribution_matching_loss(&x, &scores[0], &scores[1]));
    assert!(scores.iter().all(|score| !score.grad().defined()), "the scores judge and are not trained");
}

#[test]
fn reward() {
    let rewards = input("rewards", &[7]).set_requires_grad(true);
    check_elementary("reward", &rewards, &reward_loss(&rewards, 0.25));
}

#[test]
fn contrast() {
    let similarities = input("similarities", &[5, 5]).set_requires_grad(true);
    let loss = contrastive_loss(&similarities, &Tensor::from_slice(&[3i64, 1, 3, 0, 3]));
    check_elementary("contrastive", &similarities, &loss);
    let distinct = contrastive_loss(&similarities, &Tensor::from_slice(&[4i64, 1, 3, 0, 2]));
    assert_within(ELEMENTARY, "distinct captions", &one(&distinct), &expected()["contrastive.distinct"]);
}

#[test]
fn a_gain_is_the_slope_of_the_jump() {
    for prediction in [PredictionType::VPrediction, PredictionType::Epsilon, PredictionType::Sample] {
        let config = SchedulerConfig { set_alpha_to_one: true, ..SchedulerConfig::stable_diffusion(prediction) };
        let schedule = NoiseSchedule::new(&config).unwrap();
        // Long and short, from the noisiest and to the end of the trajectory; and one of no length.
        let t = Tensor::from_slice(&[999i64, 999, 999, 500, 24, 24, 300]);
        let s = Tensor::from_slice(&[-1i64, 0, 974, 249, 0, -1, 300]);
        let x = input("gain.x", &[7, 1, 2, 2]);
        let output = input("gain.output", &[7, 1, 2, 2]).to_kind(Kind::Double).set_requires_grad(true);
        schedule.jump(&output, &x.to_kind(Kind::Double), &t, &s).sum(Kind::Double).backward();
        let slopes = output.grad().abs().amax([1, 2, 3].as_slice(), false);
        let gains = schedule.output_gain(&t, &s, Device::Cpu);
        assert_eq!(gains.size(), [7]);
        let pairs = Vec::<f64>::try_from(&gains).unwrap().into_iter().zip(Vec::<f64>::try_from(&slopes).unwrap());
        for (i, (gain, slope)) in pairs.enumerate() {
            // Two float32 square roots whose difference may cancel.
            assert!((gain - slope).abs() < 1e-5 * slope + 1e-6, "{prediction:?}, {i}: {gain} for {slope}");
        }
        let one = schedule.output_gain(999, 500, Device::Cpu);
        assert_eq!(one.size(), [1]);
    }
}
