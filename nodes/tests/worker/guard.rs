//! The guard of `RewardFinetune`, on a reward that is sure to be hacked.

use hyper_flow_spec::{Job, Kind, Level};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::chain::{clip, reward_finetune};
use crate::lab::{Files, Work, assert_same};

const STEPS: u64 = 40;

/// Trained so hard to be bright that the pictures become alike, watched by the tiny CLIP.
fn bright(guard: Value) -> Work {
    let params = json!({
        "rewards": [{"Brightness": {"weight": 1.0}}], "rollouts": [1, 2], "anchor": 0.0, "steps": STEPS, "lr": 0.02,
        "lr_decay": "Constant", "ema": 0.5, "guard": guard,
    });
    reward_finetune(params).input("guard.watch", clip())
}

fn guard(stop: bool) -> Value {
    json!({"watch": "guard.watch", "every": 3, "captions": 4, "samples": 3, "stop": stop})
}

fn report(files: &Files) -> Value {
    serde_json::from_slice(&files["guard.json"]).unwrap()
}

fn steps(report: &Value) -> Vec<u64> {
    report["rows"].as_array().unwrap().iter().map(|row| row["step"].as_u64().unwrap()).collect()
}

fn last(report: &Value, field: &str) -> f64 {
    report["rows"].as_array().unwrap().last().unwrap()[field].as_f64().unwrap()
}

#[test]
fn a_hacked_reward_is_stopped() {
    let work = bright(guard(true));
    let ended = work.run();
    let stopped = *ended.succeeded().steps().last().unwrap();
    let files = work.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["guard.json", "guard.png", "guard.txt", "lora.safetensors"]);
    let report = report(&files);
    assert!(stopped < STEPS && stopped.is_multiple_of(3), "{report:#}");
    assert_eq!((report["stopped_after"].as_u64(), &report["hacked"]), (Some(stopped), &Value::Bool(true)));
    assert_eq!(steps(&report), (0..=stopped).step_by(3).collect::<Vec<_>>());
    assert_eq!(report["yielded"], report["best"]);
    let best = report["best"].as_u64().unwrap();
    assert!(best < stopped);
    let says = report["says"].as_str().unwrap();
    assert!(
        says.starts_with("the reward is hacked") && says.contains(&format!("stopped after step {stopped}")),
        "{says}"
    );
    assert_eq!(ended.messages(Level::Warning), [says]);
    assert_eq!((ended.metric("guard.hacked"), ended.metric("guard.best")), (1.0, best as f64));
    assert!(String::from_utf8_lossy(&files["guard.txt"]).contains(says));
}

#[test]
fn the_best_weights_are_yielded() {
    // Watched is the very score that is trained on, so that it rises; diversity falls.
    let rewards = json!([{"Clip": {"model": "rewards.0.model", "weight": 1.0}}]);
    let guard = json!({"watch": "guard.watch", "every": 1, "captions": 4, "samples": 3, "diversity": 0.95});
    let work = |guard: Value, steps: u64| {
        bright(guard)
            .with(|job| set(job, &[("rewards", rewards.clone()), ("lr", json!(0.005)), ("steps", json!(steps))]))
    };
    let files = work(guard, 12).artifact();
    let best = report(&files)["yielded"].as_u64().unwrap();
    assert!(0 < best && best < 12, "{:#}", report(&files));
    // They are those of a training that ended there.
    assert_eq!(work(Value::Null, best).artifact()["lora.safetensors"], files["lora.safetensors"]);
}

fn set(job: &mut Job, changes: &[(&str, Value)]) {
    let mut params = serde_json::to_value(&job.kind).unwrap()["RewardFinetune"].clone();
    for (name, value) in changes {
        params[name] = value.clone();
    }
    job.kind = Kind::from_json("RewardFinetune", params).unwrap();
}

#[test]
fn a_guard_that_only_watches_changes_nothing_and_says_that_the_pictures_collapse() {
    let work = bright(guard(false));
    let ended = work.run();
    assert_eq!(ended.succeeded().steps().last(), Some(&STEPS));
    let files = work.files();
    let report = report(&files);
    assert_eq!((&report["stopped_after"], &report["hacked"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(steps(&report), [(0..STEPS).step_by(3).collect(), vec![STEPS]].concat());
    assert!(last(&report, "diversity") < 0.5, "{report:#}");
    assert!(last(&report, "missed") < 0.4, "{report:#}");
    let warnings = ended.messages(Level::Warning);
    assert!(matches!(&warnings[..], [text] if text.contains("only watches")), "{warnings:?}");
    assert_eq!(bright(Value::Null).artifact()["lora.safetensors"], files["lora.safetensors"]);
}

#[test]
fn a_guarded_training_that_was_killed_goes_on_to_the_same_decision() {
    let whole = bright(guard(true));
    let stopped = *whole.run().succeeded().steps().last().unwrap();
    let broken = bright(guard(true)).with(|job| job.checkpoint_seconds = 0.0);
    for step in (1..stopped).step_by(4) {
        let mut worker = broken.start();
        worker.until_step(step);
        worker.signal(Signal::KILL);
    }
    let ended = broken.run();
    assert!(ended.succeeded().resumed().is_some());
    assert_same("the artifacts", &broken.files(), &whole.files());
    // Stopped once is stopped for good, should the artifact be lost.
    let again = broken.run();
    assert_eq!((again.succeeded().resumed(), again.steps()), (Some(stopped), vec![]));
    assert_same("the artifacts", &broken.files(), &whole.files());
}

#[test]
fn the_step_with_gradient_is_chosen() {
    let trained = |step: Value| reward_finetune(json!({"steps": 3, "rollouts": [2], "step": step})).artifact();
    let [any, first, last, second] = [json!("Any"), json!({"At": 1}), json!("Last"), json!({"At": 2})].map(trained);
    assert_same("the last is the second", &last, &second);
    assert!(first != last && any != first && any != last);
}
