//! What a training tells of each step beside its losses.

use std::collections::BTreeMap;

use hyper_flow_spec::{Event, Held};
use serde_json::json;

use crate::chain::{score_distill, segment_distill, train_judge};
use crate::lab::{Ended, Work};

/// Of each step.
struct Told {
    lr: BTreeMap<String, f64>,
    grad_norm: BTreeMap<String, f64>,
    speed: f64,
    memory: Option<Held>,
}

fn told(work: &Work) -> Vec<Told> {
    let step = |event: &Event| match event.clone() {
        Event::Step { lr, grad_norm, speed, memory, .. } => Some(Told { lr, grad_norm, speed: speed?, memory }),
        _ => None,
    };
    let ended: Ended = work.run();
    ended.succeeded().events.iter().filter_map(step).collect()
}

#[test]
fn the_learning_rate_is_that_of_the_step() {
    let schedule = json!({"steps": 6, "lr": 0.004, "lr_warmup": 2, "lr_decay": "Linear"});
    let steps = told(&train_judge(schedule));
    let rates: Vec<f64> = steps.iter().flat_map(|step| step.lr.values().copied()).collect();
    assert_eq!(rates, [0.0, 0.002, 0.004, 0.003, 0.002, 0.001]);
    assert!(steps.iter().all(|step| step.speed > 0.0));
    if cfg!(target_os = "linux") {
        let resident = |step: &Told| step.memory.map(|held| held.resident).unwrap_or_default();
        assert!(steps.iter().all(|step| resident(step) > 50 << 20), "less than libtorch alone");
    }
}

#[test]
fn gradients_are_measured_before_they_are_clipped() {
    let norms = |clip: f64| {
        let first = told(&train_judge(json!({"steps": 1, "grad_clip": clip}))).remove(0);
        first.grad_norm.into_values().collect::<Vec<_>>()
    };
    let (wide, narrow) = (norms(1e9), norms(1e-6));
    assert!(wide.len() == 1 && wide[0] > 1e-3, "{wide:?}");
    assert_eq!(wide, narrow);
}

#[test]
fn each_optimiser_tells_its_own() {
    let steps = told(&score_distill(json!({"steps": 2, "lr": 0.002, "fake_lr": 0.001, "lr_decay": "Constant"})));
    let names = |of: &BTreeMap<String, f64>| of.keys().cloned().collect::<Vec<_>>();
    assert!(steps.iter().all(|step| names(&step.lr) == ["fake", "student"]), "as its losses are named");
    assert!(steps.iter().all(|step| names(&step.grad_norm) == ["fake", "student"]));
    assert_eq!((steps[1].lr["fake"], steps[1].lr["student"]), (0.001, 0.002));
}

#[test]
fn norms_of_the_adapters_come_with_checkpoints() {
    let norms = |work: &Work| {
        let norms = |event: &Event| match event.clone() {
            Event::Norms { step, norms } => Some((step, norms)),
            _ => None,
        };
        work.run().succeeded().events.iter().filter_map(norms).collect::<Vec<_>>()
    };
    let often = |work: Work| work.with(|job| job.checkpoint_seconds = 0.0);
    let told = norms(&often(segment_distill(json!({"steps": 3}))));
    assert_eq!(told.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [1, 2, 3]);
    let sum = |of: &BTreeMap<String, f64>| of.values().sum::<f64>();
    assert!(told[2].1.len() > 10 && sum(&told[2].1) > sum(&told[0].1), "{told:?}");
    assert_eq!(norms(&often(train_judge(json!({"steps": 2})))), [], "where nothing is adapted");
}
