//! Tiny artifacts of every kind, each made once a process and when first asked for, and the jobs that make them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::Work;

type Made = LazyLock<(TempDir, PathBuf)>;

fn make(work: Work) -> (TempDir, PathBuf) {
    work.run().succeeded();
    work.into_artifact()
}

macro_rules! artifacts {
    ($($(#[$doc:meta])* $name:ident = $work:expr;)*) => {
        $($(#[$doc])* pub(crate) fn $name() -> &'static Path {
            static MADE: Made = LazyLock::new(|| make($work));
            &MADE.1
        })*
    };
}

artifacts! {
    digits = Work::new("Digits", json!({"file": "file"})).file("file", &digits_file());
    /// The same digits with masks.
    masked_digits = Work::new("Digits", json!({"file": "file", "masks": 0.5})).file("file", &digits_file());
    clip = train_clip(json!({"steps": 3}));
    segmenter = train_segmenter(json!({"steps": 3}));
    judge = train_judge(json!({"steps": 3}));
    teacher = train_teacher(json!({"steps": 3}));
    vae = train_vae(json!({"steps": 3}));
    /// A LoRA of rank 2.
    tscd = segment_distill(json!({"steps": 3, "rank": 2}));
    /// A delta of rank 2 on top of `tscd`.
    delta = reward_finetune(json!({"steps": 3, "rank": 2}));
    merged = lora_merge(json!({"rank": 2}));
    /// What the teacher draws in one step without guidance, as a fresh student does.
    pairs = ode_pairs(json!({}));
}

/// The data that ships.
pub(crate) fn digits_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/data/digits.csv.gz")
}

/// A shard as webdataset writes one.
pub(crate) fn shard_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/shard.tar")
}

/// Parameters with some replaced or added.
pub(crate) fn over(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

pub(crate) fn train_clip(changes: Value) -> Work {
    let base = json!({"data": "data", "width": 8, "layers": 1, "heads": 2, "projection": 8, "batch": 8});
    Work::new("TrainClip", over(base, changes)).input("data", digits())
}

pub(crate) fn train_judge(changes: Value) -> Work {
    let base = json!({"data": "data", "width": 4, "features": 8, "min_accuracy": 0.0, "batch": 8});
    Work::new("TrainJudge", over(base, changes)).input("data", digits())
}

pub(crate) fn train_segmenter(changes: Value) -> Work {
    let base = json!({"data": "data", "width": 4, "levels": 1, "min_iou": 0.0, "batch": 8});
    Work::new("TrainSegmenter", over(base, changes)).input("data", masked_digits())
}

pub(crate) fn train_teacher(changes: Value) -> Work {
    let base = json!({
        "data": "data", "text": "text", "prediction": "V", "channels": [8, 16], "heads": 2, "batch": 8,
    });
    Work::new("TrainTeacher", over(base, changes)).input("data", digits()).input("text", clip())
}

/// Latents of 4×4.
pub(crate) fn train_vae(changes: Value) -> Work {
    let base = json!({"data": "data", "channels": [8, 8], "latent_channels": 2, "batch": 8});
    Work::new("TrainVae", over(base, changes)).input("data", digits())
}

/// A teacher that draws the latents of `vae`.
pub(crate) fn train_latent_teacher(changes: Value) -> Work {
    train_teacher(over(json!({"vae": "vae"}), changes)).input("vae", vae())
}

/// With `"student": "student"` among the changes it goes on from `tscd`.
pub(crate) fn segment_distill(changes: Value) -> Work {
    let base = json!({
        "teacher": "teacher", "data": "data", "segments": 4, "solver_steps": 40, "guidance": [1.0, 2.0], "rank": 2,
        "batch": 8,
    });
    on_student(Work::new("SegmentDistill", over(base, changes.clone())), &changes)
}

pub(crate) fn reward_finetune(changes: Value) -> Work {
    let base = json!({
        "teacher": "teacher", "student": "student", "data": "data",
        "rewards": [{"Clip": {"model": "rewards.0.model", "weight": 1.0}}],
        "rollouts": [1, 2], "rank": 2, "batch": 8,
    });
    on_student(Work::new("RewardFinetune", over(base, changes)), &json!({"student": "student"}))
        .input("rewards.0.model", clip())
}

/// With the visual-perception term.
pub(crate) fn perceived(changes: Value) -> Work {
    let base = json!({"perception": {"model": "perception.model"}});
    reward_finetune(over(base, changes)).input("data", masked_digits()).input("perception.model", segmenter())
}

/// A reward of `clip` for `score_distill`.
pub(crate) fn clip_reward() -> Value {
    json!({"Clip": {"model": "rewards.0.model", "weight": 0.5}})
}

pub(crate) fn ode_pairs(changes: Value) -> Work {
    let base = json!({"teacher": "teacher", "data": "data", "count": 24, "steps": 1, "guidance": 1.0, "batch": 5});
    Work::new("OdePairs", over(base, changes)).input("teacher", teacher()).input("data", digits())
}

/// With `"student": "student"` among the changes it goes on from `tscd`, with `"pairs": "pairs"` it is held to `pairs`; the
/// model of its first reward is `clip`.
pub(crate) fn score_distill(changes: Value) -> Work {
    let base = json!({
        "teacher": "teacher", "data": "data", "guidance": 1.5, "consistency": 0.5, "anchor": 0.5, "fake_updates": 2, "fake_warmup": 1,
        "rank": 2, "batch": 8,
    });
    let work = on_student(Work::new("ScoreDistill", over(base, changes.clone())), &changes);
    let work = if changes.get("pairs").is_some() { work.input("pairs", pairs()) } else { work };
    if changes.get("rewards").is_some() { work.input("rewards.0.model", clip()) } else { work }
}

/// With `"lora": "lora"` among the changes it goes on from `tscd`.
pub(crate) fn finetune_lora(changes: Value) -> Work {
    let base = json!({"model": "model", "data": "data", "rank": 2, "batch": 8});
    let work = Work::new("FinetuneLora", over(base, changes.clone())).input("model", teacher()).input("data", digits());
    if changes.get("lora").is_some() { work.input("lora", tscd()) } else { work }
}

fn on_student(work: Work, changes: &Value) -> Work {
    let work = work.input("teacher", teacher()).input("data", digits());
    if changes.get("student").is_some() { work.input("student", tscd()) } else { work }
}

pub(crate) fn lora_merge(changes: Value) -> Work {
    let base = json!({"loras": [["loras.0.0", 1.0], ["loras.1.0", 1.0]]});
    Work::new("LoraMerge", over(base, changes)).input("loras.0.0", tscd()).input("loras.1.0", delta())
}

/// Of `tscd`.
pub(crate) fn export(changes: Value) -> Work {
    let base = json!({"model": "model", "lora": "lora"});
    Work::new("Export", over(base, changes)).input("model", teacher()).input("lora", tscd())
}

pub(crate) fn sample(changes: Value) -> Work {
    let base = json!({
        "model": "model", "prompts": ["a handwritten digit seven", "a handwritten digit one"], "count": 2, "steps": 2,
    });
    Work::new("Sample", over(base, changes)).input("model", teacher())
}

pub(crate) fn eval(changes: Value) -> Work {
    let base = json!({
        "teacher": "teacher", "data": "data", "loras": {"tscd": "loras.tscd", "merged": "loras.merged"},
        "judge": "judge", "clip": "clip", "reward": "reward", "steps": [1, 2], "reference_steps": 4, "guidance": 1.5,
        "samples": 40, "batch": 25,
    });
    Work::new("Eval", over(base, changes))
        .input("teacher", teacher())
        .input("data", digits())
        .input("loras.tscd", tscd())
        .input("loras.merged", merged())
        .input("judge", judge())
        .input("clip", clip())
        .input("reward", clip())
}

/// Every training kind with its name, to go `steps` steps.
pub(crate) fn trainings(steps: u64) -> Vec<(&'static str, Work)> {
    let only = || json!({"steps": steps});
    let onward = || json!({"steps": steps, "student": "student"});
    vec![
        ("TrainClip", train_clip(only())),
        ("TrainJudge", train_judge(only())),
        ("TrainSegmenter", train_segmenter(only())),
        ("TrainVae", train_vae(only())),
        ("TrainTeacher", train_teacher(only())),
        ("TrainTeacher of latents", train_latent_teacher(only())),
        ("SegmentDistill", segment_distill(onward())),
        ("RewardFinetune", reward_finetune(only())),
        ("ScoreDistill", score_distill(onward())),
    ]
}
