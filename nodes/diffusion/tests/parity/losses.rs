//! The losses against tests/parity/losses.py, which computes them in float64 from the papers' formulas.

use crate::support::{assert_close, assert_gradients, assert_within, fixtures, input, weight};
use crate::unet::{Reference, formula_lora, gradients, reference};
use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{
    Consistency, Denoiser, Distance, Weighting, consistency_loss, contrastive_loss, denoising_loss,
    distribution_matching_loss, reward_loss,
};
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig, SegmentDraw, SegmentGrid};
use hyper_flow_diffusion::weights::read_tensors;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

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
struct Case {
    model: Reference,
    schedule: NoiseSchedule,
    student: Lora,
    average: Lora,
}

impl Case {
    fn new(prediction: PredictionType) -> Self {
        let model = reference("digits");
        let (student, average) = (formula_lora(&model.unet).requires_grad(true), formula_lora(&model.unet));
        for (path, layer) in &average.layers {
            for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
                let value = weight(&format!("average.{path}.{part}"), &tensor.size());
                tch::no_grad(|| tensor.shallow_clone().copy_(&value));
            }
        }
        let schedule = NoiseSchedule::new(&SchedulerConfig::stable_diffusion(prediction)).unwrap();
        Self { model, schedule, student, average }
    }

    fn denoiser(&self) -> Denoiser<'_> {
        Denoiser { unet: &self.model.unet, schedule: &self.schedule }
    }

    fn consistency(&self, target: &Lora, weighting: Weighting, distance: Distance) -> Tensor {
        let of = Consistency {
            denoiser: self.denoiser(),
            student: Adapters::one(&self.student),
            target: Adapters::one(target),
            empty: &input("empty", &[1, 5, 32]).into(),
            distance,
            weighting,
        };
        let w = Tensor::from_slice(&[1f32, 1.5, 3.0, 7.5]);
        let (x0, noise, text) = (input("x0", SHAPE), input("noise", SHAPE), input("text", &[4, 5, 32]));
        consistency_loss(&Tape::off(), &of, &segments(), &x0, &noise, &text.into(), &w)
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

const SHAPE: &[i64] = &[4, 1, 8, 8];

/// The script's timesteps: grid indices (n, e) of N = 40 and k = 4.
fn segments() -> SegmentDraw {
    let grid = SegmentGrid::new(1000, 40, 4).unwrap();
    let indices = [(40usize, 30usize), (31, 30), (15, 10), (1, 0)];
    assert!(indices.iter().all(|&(n, e)| grid.segment_start(n) <= e && e < n));
    let points = |index: fn(&(usize, usize)) -> usize| {
        Tensor::from_slice(&indices.iter().map(|pair| grid.points()[index(pair)]).collect::<Vec<_>>())
    };
    SegmentDraw { start: points(|&(n, _)| n), previous: points(|&(n, _)| n - 1), end: points(|&(_, e)| e) }
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

#[test]
fn denoising() {
    for (prediction, name) in [(PredictionType::VPrediction, "v"), (PredictionType::Epsilon, "epsilon")] {
        let case = Case::new(prediction);
        let t = Tensor::from_slice(&[999i64, 400, 20, 0]);
        let (x0, noise, text) = (input("x0", SHAPE), input("noise", SHAPE), input("text", &[4, 5, 32]));
        let loss = denoising_loss(
            &Tape::off(),
            &case.denoiser(),
            &x0,
            &noise,
            &t,
            &text.into(),
            &Adapters::one(&case.student),
        );
        case.check(&format!("denoising.{name}"), &loss);
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
