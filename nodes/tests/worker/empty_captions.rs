//! `empty_captions`: samples that are told no caption, in every distillation kind.

use serde_json::{Value, json};

use crate::chain::{clip_reward, over, reward_finetune, score_distill, segment_distill};
use crate::lab::Work;

/// The losses of one term.
fn losses(work: &Work, term: &str) -> Vec<f64> {
    work.run().succeeded().losses().iter().map(|step| step[term]).collect()
}

/// How far apart they are at most, relative.
fn apart(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| (l - r).abs() / l.abs().max(r.abs())).fold(0.0, f64::max)
}

/// Where nobody is told a caption, guidance has nothing to lead away from: its scale means nothing.
fn check(work: impl Fn(Value) -> Work, scales: [Value; 2], term: &str) {
    let with = |share: f64| {
        let [weak, strong] = scales.each_ref().map(|scale| {
            losses(&work(json!({"steps": 1, "ema": 0.0, "empty_captions": share, "guidance": scale})), term)
        });
        apart(&weak, &strong)
    };
    let (all, none) = (with(1.0), with(0.0));
    assert!(all < 1e-3, "{term}: {all} apart though no caption was told");
    assert!(none > 10.0 * all.max(1e-6), "{term}: {none} apart with captions, {all} without");
}

#[test]
fn of_a_stage() {
    check(segment_distill, [json!([1.0, 1.0]), json!([30.0, 30.0])], "consistency");
}

#[test]
fn of_score_distillation() {
    let base = json!({"fake_warmup": 0, "fake_updates": 1});
    let work = |changes| score_distill(over(base.clone(), changes));
    check(work, [json!(1.0), json!(30.0)], "student.consistency");
    check(work, [json!(1.0), json!(30.0)], "student.score");
}

#[test]
fn only_pictures_whose_caption_was_told_are_rewarded() {
    let terms = |work: Work| -> Vec<String> { work.run().succeeded().losses()[0].keys().cloned().collect() };
    let feedback = |share: f64| reward_finetune(json!({"steps": 1, "anchor": 0.5, "empty_captions": share}));
    assert_eq!(terms(feedback(1.0)), ["anchor"]);
    assert_eq!(terms(feedback(0.5)), ["anchor", "reward.0"]);
    let score = score_distill(json!({"steps": 1, "empty_captions": 1.0, "rewards": [clip_reward()]}));
    assert!(!terms(score).iter().any(|term| term.contains("reward")));
}
