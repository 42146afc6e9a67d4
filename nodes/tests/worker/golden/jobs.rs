//! A tiny job of every kind, all parameters written out.

use serde_json::{Value, json};

use super::outside::{LATENT_MODEL, MASKED, MEASURED, REPEATS, TUNED};

/// Parameters of a kind with those of the loop.
fn training(params: Value) -> Value {
    let mut all = json!({
        "data": "data", "steps": 3, "batch": 8, "accumulate": 2, "lr": 0.01, "lr_warmup": 1, "lr_decay": "Cosine",
        "weight_decay": 0.01, "grad_clip": 1.0, "ema": 0.9,
    });
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    all
}

fn distillation(params: Value) -> Value {
    let mut all = training(
        json!({"teacher": "teacher", "rank": 3, "alpha": 6.0, "modules": null, "dropout": 0.0, "precision": "Fp32", "checkpointing": false}),
    );
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    all
}

pub(super) type Ports = &'static [(&'static str, &'static str)];

/// Every kind with its parameters and where its inputs come from, in an order in which they can run.
pub(super) fn all() -> Vec<(&'static str, Value, Ports)> {
    let clip = json!({"width": 8, "layers": 1, "heads": 2, "projection": 8, "patch": 2});
    let judge = json!({"width": 4, "features": 8, "shift": 1, "min_accuracy": 0.0});
    let segmenter = json!({"width": 4, "levels": 2, "min_iou": 0.0});
    let teacher = json!({
        "text": "text", "vae": null, "prediction": "V", "caption_dropout": 0.3, "channels": [16, 32], "layers_per_block": 1,
        "plain_levels": 1, "heads": 4,
    });
    let vae = json!({
        "channels": [8, 16], "layers_per_block": 1, "latent_channels": 2, "distance": {"Huber": 0.1}, "kl": 0.1,
    });
    let stage = json!({
        "student": null, "segments": 4, "solver_steps": 40, "guidance": [1.0, 2.0], "distance": {"Huber": 0.1},
        "weighting": "Jump", "target": "Ema", "method": "Tscd", "offset_noise": 0.0, "adversarial": null,
    });
    let reward = json!({
        "student": "student", "rewards": [{"Clip": {"model": "reward", "weight": 0.5, "threshold": 1.0}}],
        "rollouts": [1, 2], "anchor": 0.5, "perception": null,
    });
    let score = json!({
        "student": "student", "guidance": 1.5, "score": 1.0, "timestep": 999, "consistency": 0.5, "solver_steps": 40,
        "distance": "Mse", "weighting": "Uniform", "anchor": 0.5, "anchor_steps": 2, "fake_updates": 2,
        "fake_warmup": 1, "fake_lr": 0.01, "rollouts": [1], "sampler": "Ddim", "pairs": null,
        "rewards": [], "adversarial": null,
    });
    let mut finetune = distillation(json!({
        "model": "model", "lora": null, "weighting": {"MinSnr": 5.0}, "offset_noise": 0.1, "empty_captions": 0.3,
    }));
    finetune.as_object_mut().unwrap().remove("teacher");
    let pairs = json!({
        "teacher": "teacher", "data": "data", "count": 5, "steps": 3, "guidance": 1.5, "batch": 2, "precision": "Fp32",
    });
    let sample = json!({
        "model": "model", "lora": "lora", "prompts": ["a handwritten digit two"], "count": 2, "steps": 2,
        "guidance": 1.5, "sampler": {"Tcd": 0.5}, "precision": "Fp32", "negative_prompt": null, "size": null,
    });
    // In 16 bits, so that what is lost is more than the noise of fp32.
    let export = json!({
        "model": "model", "lora": "lora", "formats": ["Kohya", "Diffusers", "Fused"], "precision": "Bf16",
        "sampler": {"Tcd": 0.5},
    });
    let diffusers = json!({
        "path": "path", "hub": null, "variant": null, "prediction": null, "tokenizer": null, "config": null,
    });
    let eval = json!({
        "teacher": "teacher", "data": "data", "loras": {"merged": "lora"}, "judge": "judge", "clip": "clip",
        "reward": "clip", "steps": [1, 2], "reference_steps": 4, "guidance": 1.5, "sampler": "Ddim", "samples": 200,
        "batch": 100, "precision": "Fp32", "split": "Train", "resamples": 100, "compare": [["merged", "teacher"]], "scores": {"agreement": "clip"},
    });
    let gate = json!({"metrics": "metrics", "require": [
        {"candidate": "tscd", "steps": null, "number": "frechet", "at_most": 1.1, "at_least": null, "of": {"Candidate": "parent"}},
        {"candidate": "tscd", "steps": 1, "number": "accuracy", "at_most": null, "at_least": 0.5, "of": null},
    ]});
    const ON_STUDENT: Ports =
        &[("data", "Digits"), ("teacher", "TrainTeacher"), ("student", "SegmentDistill"), ("reward", "TrainClip")];
    vec![
        ("Digits", json!({"file": "file", "held_out": 0.2}), &[]),
        (
            "ImageFolder",
            json!({"folder": "folder", "size": 6, "channels": 3, "held_out": 0.4, "max_megapixels": 256, "skip_damaged": false}),
            &[],
        ),
        (
            "WebDataset",
            json!({
                "shards": ["shard", "drawn"], "urls": null, "size": 4, "channels": 1, "held_out": 0.4, "max_megapixels": 256, "skip_damaged": false,
            }),
            &[],
        ),
        ("TrainClip", training(clip), &[("data", "Digits")]),
        (
            "PretrainedClip",
            json!({"path": "path", "hub": null, "tokenizer": null, "tokenizer_hub": null}),
            &[("path", "TrainClip")],
        ),
        (
            "ScoreModel",
            json!({"model": {"Aesthetic": {"clip": "model.clip", "head": "model.head"}}}),
            &[("model.clip", "PretrainedClip")],
        ),
        ("TrainJudge", training(judge), &[("data", "Digits")]),
        ("TrainSegmenter", training(segmenter), &[("data", MASKED)]),
        ("TrainVae", training(vae), &[("data", "Digits")]),
        ("TrainTeacher", training(teacher), &[("data", "Digits"), ("text", "TrainClip")]),
        ("Diffusers", diffusers, &[("path", "TrainTeacher")]),
        (
            "EncodeLatents",
            json!({"model": "model", "data": "data", "batch": 16, "precision": "Fp32"}),
            &[("model", LATENT_MODEL), ("data", "Digits")],
        ),
        ("SegmentDistill", distillation(stage), &[("data", "Digits"), ("teacher", "TrainTeacher")]),
        ("RewardFinetune", distillation(reward), ON_STUDENT),
        ("OdePairs", pairs, &[("data", "Digits"), ("teacher", "TrainTeacher")]),
        ("ScoreDistill", distillation(score), ON_STUDENT),
        ("FinetuneLora", finetune, &[("data", "Digits"), ("model", "TrainTeacher")]),
        (
            "LoraFuse",
            json!({"model": "model", "loras": [["left", 1.0], ["right", 0.5]]}),
            &[("model", "TrainTeacher"), ("left", "SegmentDistill"), ("right", "FinetuneLora")],
        ),
        (
            "PretrainedLora",
            json!({"path": "path", "hub": null, "model": "model", "alpha": null, "convert": {"Svd": 4}, "text": "Drop"}),
            &[("path", "RewardFinetune"), ("model", "TrainTeacher")],
        ),
        (
            "LoraExtract",
            json!({"tuned": "tuned", "base": "base", "rank": 3}),
            &[("tuned", TUNED), ("base", "TrainTeacher")],
        ),
        (
            "LoraMerge",
            json!({"loras": [["left", 1.0], ["right", 0.5]], "rank": 4}),
            &[("left", "SegmentDistill"), ("right", "RewardFinetune")],
        ),
        ("Sample", sample, &[("model", "TrainTeacher"), ("lora", "LoraMerge")]),
        ("Export", export, &[("model", "TrainTeacher"), ("lora", "LoraMerge")]),
        ("CommandScorer", json!({"program": ["score", "all"], "files": {"script": "file"}}), &[]),
        ("Gate", gate, &[("metrics", MEASURED)]),
        (
            "Eval",
            eval,
            &[
                ("data", "Digits"),
                ("teacher", "TrainTeacher"),
                ("lora", "LoraMerge"),
                ("judge", "TrainJudge"),
                ("clip", "TrainClip"),
            ],
        ),
        (
            "Summary",
            json!({
                "metrics": ["one", "two"], "numbers": ["frechet"], "spread": "Interval", "compare": [["tscd", "tcd"]],
            }),
            &[("one", REPEATS[0]), ("two", REPEATS[1])],
        ),
    ]
}
