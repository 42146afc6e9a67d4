//! What each kind computes, pinned: tests/golden/<kind>.json of the repository holds the first losses of a tiny run with
//! all parameters written out, and what its artifact holds. A change of it needs a new version of the kind, or stores
//! would serve what an older worker computed.
//!
//! A job's inputs are what other jobs yielded, their weights set by a formula: so a kind that computes something else
//! changes its own file only.
//!
//! `UPDATE_GOLDEN=1 cargo test -p hyper-flow-nodes golden` makes the files again whose version was raised, or that were
//! deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{Entry, read_tensors, write_tensors};
use hyper_flow_spec::{Event, Kind};
use image::RgbImage;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{digits_file, masked_digits, shard_file};
use crate::lab::{Ended, Work};
use crate::tiny_models::{Family, Tiny};

/// Relative. Between 1 and 2 threads and between CPUs of different instruction sets, what is pinned differs by less.
const TOLERANCE: f64 = 1e-4;
/// Attention does not depend on it: what it is trained to is rounding alone.
const FREE: &str = "k_proj.bias";

#[test]
fn kinds_compute_what_their_version_computed() {
    let pictures = tempfile::tempdir().unwrap();
    draw_pictures(pictures.path());
    let head = pictures.path().join("head.safetensors");
    write_head(&head);
    let latent_model = Tiny::of_digits(Family::Sdxl).folder();
    let measured = measured();
    let outside = [(LATENT_MODEL, latent_model.path()), (MASKED, masked_digits()), (MEASURED, measured.path())];
    let mut made = BTreeMap::from(outside.map(|(name, folder)| (name, by_formula(name, folder))));
    made.extend(REPEATS.map(|(name, numbers)| (name, repeat(numbers))));
    let mut report = Vec::new();
    for (kind, params, inputs) in all() {
        let mut work = Work::new(kind, params.clone())
            .file("file", &digits_file())
            .file("folder", pictures.path())
            .file("shard", &shard_file())
            .file("model.head", &head);
        assert_written_out(&work.job.kind, &params);
        for (port, from) in inputs {
            // Also what this kind takes from outside, another yields.
            work = work.input(port, made[from].path()).file(port, made[from].path());
        }
        report.extend(check(kind, &computed(&work, work.run().succeeded())));
        made.insert(kind, by_formula(kind, &work.job.output));
    }
    let kinds: BTreeSet<_> = Kind::NAMES.iter().copied().filter(|&name| name != "Command").collect();
    made.retain(|name, _| outside.iter().all(|(other, _)| name != other));
    made.retain(|name, _| REPEATS.iter().all(|(other, _)| name != other));
    assert_eq!(made.keys().copied().collect::<BTreeSet<_>>(), kinds);
    assert!(report.is_empty(), "{}", report.join("\n"));
}

/// What is to be said of what a kind computed. In an update it is pinned, if its version was raised.
fn check(kind: &str, computed: &Value) -> Option<String> {
    let pinned = fs::read_to_string(path_of(kind)).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let differences = differences(&pinned, computed);
    let raised = pinned["version"] != computed["version"];
    let again = "make tests/golden again with UPDATE_GOLDEN=1";
    if differences.is_empty() {
        None
    } else if !raised {
        Some(format!(
            "What {kind} computes has changed, and stores hold what it computed before: raise its version in \
             nodes/spec/src/kinds/registry.rs, then {again}. {}",
            differences.join("; ")
        ))
    } else if std::env::var_os("UPDATE_GOLDEN").is_none() {
        Some(format!("The version of {kind} is not the pinned one: {again}."))
    } else {
        pin(kind, computed);
        None
    }
}

/// A copy of an artifact whose weights depend on nothing but who made them, their names and shapes.
fn by_formula(kind: &str, artifact: &Path) -> TempDir {
    let folder = copy(artifact);
    let mut open = vec![folder.path().to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            let tensors = read_tensors(&path, tch::Kind::Float, Device::Cpu).unwrap();
            let tensors = tensors.into_iter().map(|(key, x)| (key.clone(), weight(kind, &key, &x))).collect();
            write_tensors(&path, &tensors, Some(Entry::FORMAT_PT)).unwrap();
        }
    }
    folder
}

/// Scales near 1, offsets near 0, and matrices that keep the size of what goes through them. Pictures, which are bytes,
/// and single numbers stay.
fn weight(kind: &str, key: &str, like: &Tensor) -> Tensor {
    let size = like.size();
    let drawn = |spread: f64| {
        Rng::at(0, &format!("{kind}/{key}"), 0).uniform(-spread, spread, &size, (tch::Kind::Float, Device::Cpu))
    };
    match size[..] {
        _ if like.kind() != tch::Kind::Float => like.copy(),
        [] => like.copy(),
        [_] if key.ends_with("weight") => drawn(0.2) + 1.0,
        [_] => drawn(0.2),
        _ if key.contains("lora_up") => drawn(0.1),
        _ => drawn((3.0 / size[1..].iter().product::<i64>() as f64).sqrt()),
    }
}

fn path_of(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(format!("{kind}.json"))
}

fn pin(kind: &str, computed: &Value) {
    let mut text = serde_json::to_string_pretty(computed).unwrap();
    text.push('\n');
    fs::write(path_of(kind), text).unwrap();
}

/// What a run computed: losses and metrics as reported, and the artifact's numbers as norms, its texts as hashes.
fn computed(work: &Work, ended: &Ended) -> Value {
    let metrics = ended.events.iter().filter_map(|event| match event {
        Event::Metric { name, value } => Some((name.clone(), json!(value))),
        _ => None,
    });
    let files = work.files();
    let described =
        files.iter().map(|(name, bytes)| (name.clone(), describe(&work.job.output.join(name), name, bytes)));
    json!({
        "version": work.job.kind.version(),
        "losses": ended.losses(),
        "metrics": metrics.collect::<Map<_, _>>(),
        "files": described.collect::<Map<_, _>>(),
    })
}

fn describe(path: &Path, name: &str, bytes: &[u8]) -> Value {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("safetensors") => norms(path),
        Some("png") => json!(length(image::open(path).unwrap().to_rgb8().as_raw().iter().map(|&byte| f64::from(byte)))),
        // Its columns are rounded numbers of metrics.json.
        _ if name == "table.txt" => Value::Null,
        _ if name == "metrics.json" => serde_json::from_slice(bytes).unwrap(),
        _ => json!(format!("{:016x}", fnv1a(bytes))),
    }
}

/// The L2 norm of each tensor.
fn norms(path: &Path) -> Value {
    let tensors = read_tensors(path, tch::Kind::Float, Device::Cpu).unwrap();
    let norm = |x: Tensor| json!(x.to_kind(tch::Kind::Double).norm().double_value(&[]));
    tensors
        .into_iter()
        .filter(|(key, _)| !key.ends_with(FREE))
        .map(|(key, x)| (key, norm(x)))
        .collect::<Map<_, _>>()
        .into()
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Where two trees differ: numbers by more than the tolerance, anything else at all.
fn differences(pinned: &Value, computed: &Value) -> Vec<String> {
    match (pinned, computed) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            let at = |key: &String| (key.clone(), differences(&pinned[key], &computed[key]));
            keys.into_iter().map(at).flat_map(prefixed).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let at = |(i, (a, b)): (usize, _)| (i.to_string(), differences(a, b));
            a.iter().zip(b).enumerate().map(at).flat_map(prefixed).collect()
        }
        (Value::Number(a), Value::Number(b)) => {
            let (x, y) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let close = (x - y).abs() <= TOLERANCE * x.abs().max(y.abs());
            if close { vec![] } else { vec![format!("{x} became {y}")] }
        }
        _ if pinned == computed => vec![],
        _ => vec![format!("{pinned} became {computed}")],
    }
}

fn prefixed((place, differences): (String, Vec<String>)) -> impl Iterator<Item = String> {
    differences.into_iter().map(move |difference| format!("{place}: {difference}"))
}

/// No default is part of a pinned job: a better default changes no version.
fn assert_written_out(kind: &Kind, params: &Value) {
    let filled = &serde_json::to_value(kind).unwrap()[kind.name()];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(filled), keys(params), "{} leaves parameters to their defaults", kind.name());
}

/// Three pictures of other sizes and shapes than they are read in.
fn draw_pictures(folder: &Path) {
    for (i, (width, height)) in [(9, 12), (16, 8), (8, 8)].into_iter().enumerate() {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 20) as u8, (y * 20) as u8, (x * y) as u8]);
        RgbImage::from_fn(width, height, pixel).save(folder.join(format!("{i}.png"))).unwrap();
        fs::write(folder.join(format!("{i}.txt")), format!("picture {i}")).unwrap();
    }
}

fn measured() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |candidate: &str, steps: i64, frechet: f64| {
        let intervals = json!({"frechet": [frechet - 0.5, frechet + 0.5]});
        json!({"candidate": candidate, "steps": steps, "frechet": frechet, "accuracy": 0.75, "intervals": intervals})
    };
    let rows = [row("tscd", 1, 4.0), row("tscd", 2, 2.0), row("parent", 1, 4.0), row("parent", 2, 2.5)];
    fs::write(folder.path().join("metrics.json"), json!({"rows": rows}).to_string()).unwrap();
    folder
}

/// The head of an aesthetic predictor for a CLIP of 8 dimensions.
fn write_head(path: &Path) {
    let layers = [(0, 1024, 8), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16)];
    let empty = |size: &[i64]| Tensor::zeros(size, (tch::Kind::Float, Device::Cpu));
    let layer = |(place, out, inner): (i64, i64, i64)| {
        let named = |name: &str, size: &[i64]| {
            let key = format!("layers.{place}.{name}");
            let value = weight("head", &key, &empty(size));
            (key, value)
        };
        [named("weight", &[out, inner]), named("bias", &[out])]
    };
    write_tensors(path, &layers.into_iter().flat_map(layer).collect(), None).unwrap();
}

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

/// An input that no kind here makes: a model of the digits' latents.
const LATENT_MODEL: &str = "latent model";
/// Another: digits with masks.
const MASKED: &str = "masked digits";
/// The same: what was measured, of round numbers.
const MEASURED: &str = "measured";

/// The same, twice.
const REPEATS: [(&str, [f64; 2]); 2] = [("first", [9.0, 8.5]), ("second", [9.5, 8.75])];

fn repeat(numbers: [f64; 2]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |name: &str, frechet: f64| json!({"candidate": name, "steps": 2, "frechet": frechet});
    let rows = json!({"rows": [row("tcd", numbers[0]), row("tscd", numbers[1])]});
    fs::write(folder.path().join("metrics.json"), rows.to_string()).unwrap();
    folder
}

type Ports = &'static [(&'static str, &'static str)];

/// Every kind with its parameters and where its inputs come from, in an order in which they can run.
fn all() -> Vec<(&'static str, Value, Ports)> {
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
        ("ImageFolder", json!({"folder": "folder", "size": 6, "channels": 3, "held_out": 0.4}), &[]),
        (
            "WebDataset",
            json!({
                "shards": ["shard"], "urls": null, "size": 4, "channels": 1, "held_out": 0.4, "skip_damaged": false,
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
        (
            "PretrainedLora",
            json!({"path": "path", "hub": null, "model": "model", "alpha": 2.0}),
            &[("path", "RewardFinetune"), ("model", "TrainTeacher")],
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
            &[("one", "first"), ("two", "second")],
        ),
    ]
}
