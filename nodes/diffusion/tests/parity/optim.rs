//! AdamW, clipping and learning rates against what tests/parity/optim.py saw in torch and diffusers.

use crate::support::{assert_within, fixtures, input};
use hyper_flow_diffusion::optim::*;
use hyper_flow_diffusion::weights::read_tensors;
use serde_json::Value;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Of the largest value: float32 on both sides, in the same order but for one division.
const TOLERANCE: f64 = 1e-6;
const SHAPES: [(&str, &[i64]); 2] = [("a", &[3, 4]), ("b", &[5])];

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_within(TOLERANCE, what, ours, theirs);
}

fn parameters() -> Vec<(String, Tensor)> {
    let leaf = |name| input(&format!("parameter.{name}"), SHAPES.iter().find(|s| s.0 == name).unwrap().1);
    SHAPES.map(|(name, _)| (name.to_owned(), leaf(name).set_requires_grad(true))).into()
}

/// Gives the parameters the reference's gradients of a step.
fn set_gradients(parameters: &[(String, Tensor)], step: i64) {
    for (name, parameter) in parameters {
        if name == "b" && step < 3 {
            continue;
        }
        parameter.shallow_clone().zero_grad();
        let gradient = input(&format!("grad.{name}.{step}"), &parameter.size());
        (parameter * gradient).sum(Kind::Float).backward();
    }
}

fn configs() -> Vec<(&'static str, f64, AdamWConfig, Option<f64>)> {
    let default = AdamWConfig::default();
    vec![
        ("default", 1e-3, default, None),
        ("strong", 0.1, AdamWConfig { betas: (0.5, 0.9), eps: 1e-4, weight_decay: 0.3 }, None),
        ("discriminator", 1e-2, AdamWConfig { betas: (0.0, 0.999), weight_decay: 0.0, ..default }, None),
        ("clipped", 1e-2, default, Some(2.0)),
    ]
}

#[test]
fn twenty_steps_are_those_of_torch() {
    let reference = read_tensors(&fixtures().join("optim.safetensors"), Kind::Float, Device::Cpu).unwrap();
    for (name, lr, config, max_norm) in configs() {
        let parameters = parameters();
        let mut optimiser = AdamW::new(parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone())), config);
        let mut norms = Vec::new();
        for step in 0..20 {
            set_gradients(&parameters, step);
            norms.extend(max_norm.map(|most| optimiser.clip_gradients(most) as f32));
            optimiser.step(lr);
            for (key, parameter) in &parameters {
                let key = format!("{name}.{key}.{step}");
                assert_close(&key, &parameter.detach(), &reference[&key]);
            }
        }
        for (key, tensor) in optimiser.state().iter().filter(|(key, _)| !key.ends_with("step")) {
            assert_close(key, tensor, &reference[&format!("{name}.{key}")]);
        }
        if max_norm.is_some() {
            assert_close("norms", &Tensor::from_slice(&norms), &reference[&format!("{name}.norms")]);
        }
    }
}

#[test]
fn a_saved_state_goes_on_to_the_bit() {
    let run = |interrupted: bool| {
        let parameters = parameters();
        let named = || parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone()));
        let mut optimiser = AdamW::new(named(), AdamWConfig::default());
        for step in 0..10 {
            if interrupted && step == 6 {
                let state = optimiser.state();
                optimiser = AdamW::new(named(), AdamWConfig::default());
                optimiser.load_state(&state).unwrap();
            }
            set_gradients(&parameters, step);
            optimiser.step(1e-2);
        }
        (parameters, optimiser.state())
    };
    let (whole, resumed) = (run(false), run(true));
    assert_eq!(whole.0, resumed.0);
    assert_eq!(whole.1, resumed.1);
    let steps = ["a.step", "b.step"].map(|name| whole.1[name].int64_value(&[]));
    assert_eq!(steps, [10, 7]);
}

#[test]
fn a_state_of_other_parameters_is_refused() {
    let mut optimiser = AdamW::new(parameters(), AdamWConfig::default());
    let mut refused = |change: fn(&mut BTreeMap<String, Tensor>)| {
        let mut state = optimiser.state();
        change(&mut state);
        optimiser.load_state(&state).unwrap_err().to_string()
    };
    let missing = refused(|state| drop(state.remove("a.exp_avg")));
    assert_eq!(missing, "optimiser state: a.exp_avg is missing");
    let shape = refused(|state| drop(state.insert("b.exp_avg_sq".into(), Tensor::from_slice(&[1f32]))));
    assert_eq!(shape, "optimiser state: b.exp_avg_sq is [1] instead of [5]");
    let left_over = refused(|state| drop(state.insert("c.step".into(), Tensor::from(1i64))));
    assert_eq!(left_over, "optimiser state: 7 tensors where 6 belong to the parameters");
}

#[test]
fn a_non_finite_gradient_shows_in_the_norm_and_is_left_alone() {
    let parameters = parameters();
    set_gradients(&parameters, 3);
    let all: Vec<_> = parameters.iter().map(|(_, p)| p.shallow_clone()).collect();
    let _ = all[0].grad().get(0).fill_(f64::NAN);
    let before = all[1].grad().copy();
    let mut optimiser = AdamW::new(parameters, AdamWConfig::default());
    assert!(optimiser.clip_gradients(1e-3).is_nan());
    assert_eq!(all[1].grad(), before);
    assert_eq!(gradient_norm(&[]), 0.0);
}

#[test]
fn learning_rates_are_those_of_diffusers() {
    let text = std::fs::read_to_string(fixtures().join("optim.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let decay = match case["decay"].as_str().unwrap() {
            "constant" => Decay::Constant,
            "linear" => Decay::Linear,
            _ => Decay::Cosine,
        };
        let number = |name: &str| case[name].as_u64().unwrap();
        let (warmup, steps) = (number("warmup"), number("steps"));
        let schedule = LrSchedule { warmup, steps, decay };
        // What follows the last step is ours to say: diffusers' cosine would come up again.
        for step in 0..=steps {
            let theirs = case["factors"][step as usize].as_f64().unwrap();
            assert!((schedule.factor(step) - theirs).abs() < 1e-12, "{schedule:?} at {step}: {theirs}");
        }
        assert_eq!(schedule.factor(steps + 2), schedule.factor(steps));
    }
}

#[test]
fn an_average_moves_by_what_the_decay_leaves() {
    let leaf = |x: &[f32]| Tensor::from_slice(x).set_requires_grad(true);
    // The second never has a gradient.
    let parameters = [("a".to_owned(), leaf(&[2.0, 3.0])), ("b".to_owned(), leaf(&[4.0]))];
    let averages = [Tensor::from_slice(&[1f32, -1.0]), Tensor::from_slice(&[0f32])];
    let named =
        |tensors: [&Tensor; 2]| ["a", "b"].map(String::from).into_iter().zip(tensors.map(Tensor::shallow_clone));
    let mut average = Average::new(named([&averages[0], &averages[1]]));
    let mut optimiser = AdamW::new(named([&parameters[0].1, &parameters[1].1]), AdamWConfig::default());
    (&parameters[0].1 * 0.0).sum(Kind::Float).backward();
    optimiser.step(0.0);
    average.follow(&optimiser, 0.75);
    assert_eq!(averages, [Tensor::from_slice(&[1.25f32, 0.0]), Tensor::from_slice(&[1f32])]);
    average.follow(&optimiser, 0.0);
    assert_eq!(averages, [Tensor::from_slice(&[2f32, 3.0]), Tensor::from_slice(&[4f32])]);
    assert!(!averages[0].requires_grad());
}

#[test]
fn parameters_lie_in_one_buffer_and_whoever_holds_them_sees_each_step() {
    let parameters = parameters();
    let held: Vec<_> = parameters.iter().map(|(_, p)| p.shallow_clone()).collect();
    let mut optimiser = AdamW::new(parameters, AdamWConfig::default());
    for step in 3..6 {
        let before: Vec<_> = held.iter().map(|p| p.detach().copy()).collect();
        optimiser.zero_grad();
        held.iter().for_each(|p| (p * (step as f64)).sum(Kind::Float).backward());
        optimiser.step(0.1);
        for (now, before) in held.iter().zip(&before) {
            assert!((now - before).abs().min().double_value(&[]) > 0.05);
            assert_eq!(now.grad(), now.full_like(step as f64));
        }
    }
    let distance = held[1].data_ptr() as usize - held[0].data_ptr() as usize;
    assert_eq!(distance, 64, "twelve values, filled up to sixteen");
}
