//! The same job gives the same bytes, and one batch cut in parts gives the same gradients.

use std::collections::BTreeMap;

use hyper_flow_diffusion::weights::read_tensors;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::chain::{
    clip_reward, digits_file, eval, lora_merge, over, perceived, reward_finetune, sample, score_distill,
    segment_distill, train_clip, train_judge, train_segmenter, train_teacher, trainings,
};
use crate::lab::{Work, assert_same};

fn digits(seed: u64) -> Work {
    Work::new("Digits", json!({"file": "file"})).file("file", &digits_file()).with(|job| job.seed = seed)
}

#[test]
fn what_does_not_train_gives_the_same_bytes_twice() {
    for make in [|| digits(7), || lora_merge(json!({"rank": 3})), || sample(json!({})), || eval(json!({}))] {
        let work = make();
        let name = work.job.kind.name();
        assert_same(name, &work.artifact(), &make().artifact());
    }
}

#[test]
fn two_threads_give_the_same_bytes_twice() {
    let work = || segment_distill(json!({"steps": 3, "batch": 64})).with(|job| job.threads = 2);
    assert_same("two threads", &work().artifact(), &work().artifact());
}

#[test]
fn artifacts_tell_nothing_of_where_they_were_made() {
    for (kind, work) in trainings(2) {
        let place = work.job.output.parent().unwrap().display().to_string();
        for (name, bytes) in work.artifact() {
            assert!(!bytes.windows(place.len()).any(|window| window == place.as_bytes()), "{kind}: {name}");
        }
    }
}

#[test]
fn another_seed_gives_another_artifact() {
    for ((kind, work), (_, other)) in trainings(2).into_iter().zip(trainings(2)) {
        let weights = |files: crate::lab::Files| -> Vec<_> {
            files.into_iter().filter(|(name, _)| name.ends_with(".safetensors")).collect()
        };
        let (one, two) = (work.artifact(), other.with(|job| job.seed = 8).artifact());
        assert_ne!(weights(one), weights(two), "{kind}");
    }
    assert_ne!(digits(7).artifact(), digits(8).artifact());
}

/// The gradients of the first step, which AdamW's first moments are but for a factor, and its losses.
fn first_gradients(work: &Work) -> (BTreeMap<String, Tensor>, BTreeMap<String, f64>) {
    let ended = work.run();
    let losses = ended.succeeded().losses().remove(0);
    let tensors = read_tensors(&work.checkpoint(), Kind::Float, Device::Cpu).unwrap();
    let moments: BTreeMap<_, _> = tensors.into_iter().filter(|(name, _)| name.ends_with("exp_avg")).collect();
    assert!(!moments.is_empty());
    (moments, losses)
}

/// The largest difference of gradients between two jobs, relative to the largest of each group's gradients; and the
/// largest of the losses.
fn difference(one: &Work, other: &Work) -> (f64, f64) {
    let ((gradients, losses), (others, other_losses)) = (first_gradients(one), first_gradients(other));
    assert_eq!(gradients.keys().collect::<Vec<_>>(), others.keys().collect::<Vec<_>>());
    let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (name, gradient) in &gradients {
        let group = groups.entry(name.split('/').next().unwrap()).or_default();
        let largest = |x: &Tensor| x.abs().max().double_value(&[]);
        group.0 = group.0.max(largest(&(gradient - &others[name])));
        group.1 = group.1.max(largest(gradient));
    }
    let gradients = groups.values().map(|(difference, largest)| difference / largest).fold(0.0, f64::max);
    let losses = losses.iter().map(|(term, loss)| (loss - other_losses[term]).abs() / loss.abs()).fold(0.0, f64::max);
    (gradients, losses)
}

/// One step whose first moments are the gradients.
fn one_step(make: impl Fn(Value) -> Work, parameters: &Value, changes: Value) -> Work {
    let mut all = parameters.clone();
    let ours = json!({"steps": 1, "ema": 0.0, "grad_clip": 1e9, "lr_decay": "Constant"});
    for more in [ours, changes] {
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    make(all)
}

/// More than rounding takes of gradients where batches of another size are summed in another order. Seen: 3.2e-5, of an encoder
/// as discriminator on a CPU without AVX-512; a part that counted a thousandth too much would be off by 1e-3.
const OF_ROUNDING: f64 = 2e-4;

/// Between one batch of 64 and four parts of 16.
fn of_parts(make: impl Fn(Value) -> Work, parameters: Value) -> (f64, f64) {
    let step = |batch: i64, parts: i64| one_step(&make, &parameters, json!({"batch": batch, "accumulate": parts}));
    difference(&step(64, 1), &step(16, 4))
}

/// Between keeping what is inside the networks and computing it again.
fn of_recomputation(make: impl Fn(Value) -> Work, parameters: Value) -> (f64, f64) {
    let step = |checkpointing: bool| one_step(&make, &parameters, json!({"checkpointing": checkpointing}));
    difference(&step(false), &step(true))
}

/// Backward simulation, which draws noise on the way, and all terms there are.
fn in_a_few_steps() -> Value {
    json!({
        "rollouts": [4], "sampler": "Lcm", "pairs": "pairs", "rewards": [clip_reward()], "adversarial": {"lr": 1e-9},
    })
}

#[test]
fn four_parts_of_16_have_the_gradients_of_one_batch_of_64() {
    let student = || json!({"student": "student"});
    // Its rate so small that the student meets the same fake score: AdamW's first step is a sign.
    let score = json!({"student": "student", "fake_updates": 1, "fake_warmup": 0, "fake_lr": 1e-9});
    // As slow, for the same reason.
    let judged =
        |form: &str| json!({"student": "student", "adversarial": {"discriminator": form, "weight": 0.5, "lr": 1e-9}});
    let cases = [
        ("TrainJudge", of_parts(train_judge, json!({}))),
        ("TrainSegmenter", of_parts(train_segmenter, json!({}))),
        ("TrainTeacher", of_parts(train_teacher, json!({}))),
        ("SegmentDistill, fresh", of_parts(segment_distill, json!({}))),
        ("SegmentDistill", of_parts(segment_distill, student())),
        ("SegmentDistill, dropout", of_parts(segment_distill, json!({"student": "student", "dropout": 0.3}))),
        ("SegmentDistill, weighted", of_parts(segment_distill, json!({"student": "student", "weighting": "Jump"}))),
        ("SegmentDistill, heads", of_parts(segment_distill, judged("Heads"))),
        ("SegmentDistill, encoder", of_parts(segment_distill, judged("Encoder"))),
        ("RewardFinetune", of_parts(reward_finetune, json!({}))),
        ("RewardFinetune, perception", of_parts(perceived, json!({}))),
        ("ScoreDistill", of_parts(score_distill, score.clone())),
        ("ScoreDistill, a few steps", of_parts(score_distill, over(score, in_a_few_steps()))),
    ];
    for (kind, (gradients, losses)) in cases {
        assert!(gradients < OF_ROUNDING && losses < 1e-5, "{kind}: gradients {gradients:e}, losses {losses:e}");
    }
}

#[test]
fn a_contrastive_loss_compares_within_a_part_only() {
    // Captions are told from those of the same part: four parts of 16 are another loss than one batch of 64.
    let (gradients, losses) = of_parts(train_clip, json!({}));
    assert!(gradients > 1e-2 && losses > 1e-2, "gradients {gradients:e}, losses {losses:e}");
}

#[test]
fn recomputation_gives_the_same_gradients() {
    let score = json!({
        "student": "student", "anchor": 0.5, "consistency": 0.5, "fake_updates": 1, "fake_warmup": 0, "fake_lr": 1e-9,
    });
    let judged =
        |form: &str| json!({"student": "student", "adversarial": {"discriminator": form, "weight": 0.5, "lr": 1e-9}});
    let cases = [
        ("SegmentDistill", of_recomputation(segment_distill, json!({"student": "student"}))),
        ("SegmentDistill, dropout", of_recomputation(segment_distill, json!({"student": "student", "dropout": 0.3}))),
        ("SegmentDistill, LCM", of_recomputation(segment_distill, json!({"method": "Lcm", "segments": 1}))),
        ("SegmentDistill, heads", of_recomputation(segment_distill, judged("Heads"))),
        ("SegmentDistill, encoder", of_recomputation(segment_distill, judged("Encoder"))),
        ("RewardFinetune", of_recomputation(reward_finetune, json!({}))),
        ("RewardFinetune, perception", of_recomputation(perceived, json!({"dropout": 0.3}))),
        ("ScoreDistill", of_recomputation(score_distill, score.clone())),
        ("ScoreDistill, a few steps", of_recomputation(score_distill, over(score, in_a_few_steps()))),
    ];
    for (kind, (gradients, losses)) in cases {
        // A discriminator's gradients are differences of what real and fake samples give.
        assert!(gradients < 5e-6 && losses < 1e-6, "{kind}: gradients {gradients:e}, losses {losses:e}");
    }
}
