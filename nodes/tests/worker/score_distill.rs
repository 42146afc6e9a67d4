//! `ScoreDistill` in few steps, and what holds it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chain::{clip_reward, ode_pairs, over, score_distill};

/// The student's losses in the first step, by name.
fn first(changes: Value) -> BTreeMap<String, f64> {
    let base = json!({"steps": 1, "fake_updates": 1, "fake_warmup": 0, "anchor": 1.0, "consistency": 0.0});
    score_distill(over(base, changes)).run().succeeded().losses().remove(0)
}

#[test]
fn a_fresh_student_draws_what_its_teacher_draws_in_one_step() {
    // Noise, caption and picture of each pair belong together, or this would not be 0.
    let losses = first(json!({"pairs": "pairs"}));
    assert!(losses["student.anchor"] < 1e-10, "{losses:?}");
    let other = ode_pairs(json!({"steps": 4}));
    other.artifact();
    let work = score_distill(json!({"steps": 1, "anchor": 1.0, "pairs": "pairs"})).input("pairs", &other.job.output);
    let losses = work.run().succeeded().losses().remove(0);
    assert!(losses["student.anchor"] > 1e-4, "{losses:?}");
}

#[test]
fn training_leads_to_the_pairs() {
    let other = ode_pairs(json!({"steps": 4, "guidance": 1.5}));
    other.artifact();
    let held = json!({"steps": 20, "score": 0.0, "consistency": 0.0, "anchor": 1.0, "lr": 2e-2, "pairs": "pairs"});
    let losses = score_distill(held).input("pairs", &other.job.output).run().succeeded().losses();
    let (before, after) = (losses[0]["student.anchor"], losses[19]["student.anchor"]);
    assert!(after < 0.8 * before, "{before} became {after}");
}

#[test]
fn pictures_of_a_few_steps_are_the_students_own() {
    let student = || json!({"student": "student", "anchor": 0.0});
    let of = |changes: Value| first(over(student(), changes))["student.score"];
    let one = of(json!({}));
    assert_eq!(of(json!({"rollouts": [1, 1], "sampler": "Lcm"})), one, "one step is one step however it would go on");
    // From the second step on there is another picture, and another with fresh noise.
    let deeper: Vec<f64> = ["Ddim", "Lcm", "Euler"].map(|s| of(json!({"rollouts": [16], "sampler": s}))).into();
    assert!(deeper.iter().all(|loss| loss.is_finite() && *loss != one), "{one} {deeper:?}");
    assert_ne!(deeper[0], deeper[1]);
}

#[test]
fn later_steps_are_not_held_to_what_starts_from_noise() {
    let losses = score_distill(json!({"steps": 12, "rollouts": [4], "anchor": 1.0})).run().succeeded().losses();
    let held = losses.iter().filter(|terms| terms.contains_key("student.anchor")).count();
    assert!((1..12).contains(&held), "one in four: {held} of 12");
    let losses = score_distill(json!({"steps": 6, "rollouts": [4], "pairs": "pairs"})).run().succeeded().losses();
    assert!(losses.iter().all(|terms| terms.contains_key("student.anchor")), "pairs have noise of their own");
}

#[test]
fn rewards_judge_the_same_pictures() {
    let alone = first(json!({}));
    let rewarded = first(json!({"rewards": [clip_reward()]}));
    assert!(rewarded["student.reward.0"] > 0.0, "{rewarded:?}");
    assert_eq!(rewarded["student.score"], alone["student.score"]);
    // Without any other term they are what is trained.
    let only = json!({
        "steps": 20, "score": 0.0, "anchor": 0.0, "consistency": 0.0, "lr": 2e-2, "rewards": [clip_reward()],
    });
    let losses = score_distill(only).run().succeeded().losses();
    let (before, after) = (losses[0]["student.reward.0"], losses[19]["student.reward.0"]);
    assert!(after < 0.97 * before, "{before} became {after}");
}

#[test]
fn a_discriminator_is_trained_in_turn() {
    let with = |adversarial: Value| first(json!({"adversarial": adversarial}));
    let alone = first(json!({}));
    for form in ["Heads", "Encoder"] {
        let losses = with(json!({"discriminator": form, "weight": 0.5}));
        assert!(losses["discriminator.hinge"] > 0.0 && losses["student.adversarial"] != 0.0, "{losses:?}");
        assert_eq!(losses["student.score"], alone["student.score"], "{form}: the other terms are the same");
    }
    let (half, one) = (with(json!({"weight": 0.5})), with(json!({"weight": 1.0})));
    let ratio = one["student.adversarial"] / half["student.adversarial"];
    assert!((ratio - 2.0).abs() < 1e-5, "{ratio}");
    assert_eq!(with(json!({"weight": 0.0})), alone, "unheeded, it is not there");
}

#[test]
fn a_discriminator_learns_to_tell_data_from_pictures() {
    // A student that stands still is told from the data.
    let still = json!({
        "steps": 25, "lr": 1e-9, "anchor": 0.0, "consistency": 0.0, "fake_updates": 1, "fake_warmup": 0, "batch": 16,
        "adversarial": {"lr": 1e-2},
    });
    let losses = score_distill(still).run().succeeded().losses();
    let mean = |terms: &[BTreeMap<String, f64>]| {
        terms.iter().map(|terms| terms["discriminator.hinge"]).sum::<f64>() / terms.len() as f64
    };
    let (before, after) = (mean(&losses[..5]), mean(&losses[20..]));
    assert!(after < 0.9 * before, "{before} became {after}");
}
