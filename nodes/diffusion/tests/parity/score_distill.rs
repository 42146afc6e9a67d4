//! Two steps of score distillation, and backward simulation, against tests/parity/score_distill.py.

use crate::losses::Case;
use crate::support::{assert_close, fixtures, input, sketch, weight};
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::{Scores, SnrWeighting, denoising_loss, score_loss};
use hyper_flow_diffusion::optim::{AdamW, AdamWConfig};
use hyper_flow_diffusion::sample::Painter;
use hyper_flow_diffusion::schedulers::{PredictionType, Sampler};
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_diffusion::{Conditions, Tape};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, no_grad};

const SHAPE: &[i64] = &[4, 1, 8, 8];

fn expected() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("score_distill.safetensors"), Kind::Double, Device::Cpu).unwrap()
}

fn double(key: &str) -> Tensor {
    input(key, SHAPE).to_kind(Kind::Double)
}

/// The tensors of a LoRA, with their names.
fn named(lora: &Lora) -> Vec<(String, Tensor)> {
    let names = lora.layers.keys().flat_map(|path| ["down", "up"].map(|part| format!("{path}.{part}")));
    names.zip(lora.tensors()).collect()
}

/// A LoRA in training with its optimiser.
struct Trained {
    lora: Lora,
    start: Lora,
    optimiser: AdamW,
    lr: f64,
}

impl Trained {
    fn new(like: &Lora, name: &str, lr: f64) -> Self {
        for (path, layer) in &like.layers {
            for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
                let value = weight(&format!("{name}.{path}.{part}"), &tensor.size());
                no_grad(|| tensor.shallow_clone().copy_(&value));
            }
        }
        let start = like.deep_copy().to_kind(Kind::Double);
        let lora = start.deep_copy().requires_grad(true);
        let config = AdamWConfig { weight_decay: 0.01, ..AdamWConfig::default() };
        let optimiser = AdamW::new(named(&lora), config);
        Self { lora, start, optimiser, lr }
    }

    fn adapters(&self) -> Adapters<'_> {
        Adapters::one(&self.lora)
    }

    fn update(&mut self, loss: &Tensor) {
        self.optimiser.zero_grad();
        loss.backward();
        self.optimiser.clip_gradients(1.0);
        self.optimiser.step(self.lr);
    }

    /// That it moved as the script's did. Where a gradient is all but zero, Adam moves by its sign: float32 would turn some.
    fn check(&self, name: &str) {
        let pairs = named(&self.lora).into_iter().zip(named(&self.start));
        let rows: Vec<_> = pairs.map(|((key, own), (_, start))| sketch(&key, &(own.detach() - start))).collect();
        let name = format!("{name}.moved");
        assert_close(&name, &Tensor::stack(&rows, 0), &expected()[&name]);
    }
}

/// What the student draws in one step.
fn one_step(case: &Case, noise: &Tensor, student: &Adapters<'_>) -> Tensor {
    let output = case.denoiser().output(noise, 999, &text(), student);
    case.schedule.jump(&output, noise, 999, -1)
}

fn text() -> Conditions {
    input("text", &[4, 5, 32]).to_kind(Kind::Double).into()
}

fn check(prediction: PredictionType, name: &str) {
    let mut case = Case::new(prediction);
    case.model.vs.double();
    let (mut fake, mut student) =
        (Trained::new(&case.average, "fake", 1e-2), Trained::new(&case.student, "lora", 5e-3));
    let (empty, w) = (Conditions::from(input("empty", &[1, 5, 32]).to_kind(Kind::Double)), [1f32, 1.5, 3.0, 7.5]);
    let fake_times = [[999i64, 600, 250, 3], [850, 700, 400, 100]];
    let times = [[979i64, 640, 300, 20], [900, 500, 200, 60]];
    for step in 0..2 {
        // 1. the fake score learns what the student draws
        let x = no_grad(|| one_step(&case, &double(&format!("{step}.fake.start")), &student.adapters()));
        let (noise, t) = (double(&format!("{step}.fake.noise")), Tensor::from_slice(&fake_times[step]));
        let loss = denoising_loss(
            &Tape::off(),
            &case.denoiser(),
            &x,
            &noise,
            &t,
            &text(),
            &fake.adapters(),
            SnrWeighting::Uniform,
        );
        assert_close(&format!("{name}.fake.{step}"), &loss.reshape([1]), &expected()[&format!("{name}.fake.{step}")]);
        fake.update(&loss);
        // 2. the student moves by the difference of both scores
        let x = one_step(&case, &double(&format!("{step}.student.start")), &student.adapters());
        let (noise, t) = (double(&format!("{step}.student.noise")), Tensor::from_slice(&times[step]));
        let of = Scores { denoiser: case.denoiser(), fake: fake.adapters(), empty: &empty };
        let loss = score_loss(&of, &x, &noise, &t, &text(), &Tensor::from_slice(&w));
        let key = format!("{name}.student.{step}");
        assert_close(&key, &loss.reshape([1]), &expected()[&key]);
        student.update(&loss);
    }
    fake.check(&format!("{name}.fake"));
    student.check(&format!("{name}.student"));
}

#[test]
fn two_steps_of_a_v_model() {
    check(PredictionType::VPrediction, "v");
}

#[test]
fn two_steps_of_an_epsilon_model() {
    check(PredictionType::Epsilon, "epsilon");
}

#[test]
fn backward_simulation_noises_each_predicted_picture_anew() {
    for (prediction, name) in [(PredictionType::VPrediction, "v"), (PredictionType::Epsilon, "epsilon")] {
        let case = Case::new(prediction);
        let student = Adapters::one(&case.student);
        let plan = Sampler::Lcm.plan(&case.schedule, 4).unwrap();
        let painter = Painter { denoiser: case.denoiser(), plan: &plan, adapters: &student, guidance: None };
        let text = Conditions::from(input("text", &[4, 5, 32]));
        let fresh = |i: usize, _: &Tensor| input(&format!("rollout.fresh.{i}"), SHAPE);
        let x = painter.advance_with(&input("rollout.start", SHAPE), &text, 2, fresh);
        let output = no_grad(|| painter.output(&x, 2, &text));
        let picture = case.schedule.prediction(&output, &x, 499).x0;
        assert_close(name, &Tensor::stack(&[x, picture], 0), &expected()[&format!("{name}.rollout")]);
    }
}
