//! `PretrainedClip` and `ScoreModel`, and what rewards and reports with them.

use std::fs;

use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::chain::{reward_finetune, segment_distill, train_clip, train_teacher};
use crate::lab::{Files, Work, assert_same};
use crate::tiny_models::{Family, Tiny};
use crate::tiny_scores::{Published, change};

fn names(files: &Files) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn a_published_clip_gets_the_form_that_every_node_reads() {
    let published = Published::new();
    let work = published.clip();
    let files = work.artifact();
    let expected = [
        "config.json",
        "merges.txt",
        "model.safetensors",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vocab.json",
    ];
    assert_eq!(names(&files), expected);
    assert_same("a second run", &files, &published.clip().artifact());
    // What has that form already keeps it.
    let again = Work::new("PretrainedClip", json!({"path": "path"})).file("path", &work.job.output);
    assert_same("its own artifact", &files, &again.artifact());
}

#[test]
fn a_published_score_gets_the_form_that_every_node_reads() {
    let published = Published::new();
    let clip = published.clip();
    clip.artifact();
    let files = published.aesthetic(&clip.job.output).artifact();
    let tower =
        ["config.json", "model.safetensors", "preprocessor_config.json"].map(|name| format!("image_encoder/{name}"));
    let tower = tower.each_ref().map(String::as_str);
    assert_eq!(names(&files), [&["head.safetensors"][..], &tower, &["scorer.json"]].concat());
    assert_same("a second run", &files, &published.aesthetic(&clip.job.output).artifact());

    let files = published.image_reward().artifact();
    assert_eq!(names(&files), ["model.safetensors", "scorer.json", "vocab.txt"]);
    assert_same("a second run", &files, &published.image_reward().artifact());
    assert_eq!(String::from_utf8_lossy(&files["scorer.json"]), "{\n  \"form\": \"image-reward\"\n}\n");
}

#[test]
fn files_that_do_not_fit_leave_nothing_behind() {
    let published = Published::new();
    let failure = |work: Work| {
        let message = work.failure();
        assert!(work.files().is_empty(), "{:?}", names(&work.files()));
        message
    };
    let clip = published.clip();
    clip.artifact();
    change(&published.at("ImageReward.safetensors"), |tensors| drop(tensors.remove("mlp.layers.4.weight")));
    let message = failure(published.image_reward());
    assert_eq!(message, "<model.weights>: keys do not fit: 1 missing: mlp.layers.4.weight");
    change(&published.at("head.safetensors"), |tensors| {
        let extra = tensors["layers.7.bias"].shallow_clone();
        tensors.insert("layers.8.bias".into(), extra);
    });
    let message = failure(published.aesthetic(&clip.job.output));
    assert_eq!(message, "<model.head>: keys do not fit: 1 left over: layers.8.bias");
    let message = failure(published.clip().file("tokenizer", &published.at("nowhere")));
    assert!(message.starts_with("read <tokenizer>/vocab.json: "), "{message}");
    change(&published.at("clip/model.safetensors"), |tensors| drop(tensors.remove("logit_scale")));
    let message = failure(published.clip());
    assert_eq!(message, "<path>/model.safetensors: keys do not fit: 1 missing: logit_scale");
    fs::write(published.at("pickle.pth"), b"PK\x03\x04 a zip").unwrap();
    let pickle = published.image_reward().file("model.weights", &published.at("pickle.pth"));
    let message = failure(pickle);
    assert!(message.contains("<model.weights>") && message.contains("convert_pickle.py"), "{message}");
}

/// A dataset of pictures of different colours, each with a caption of its own.
fn colours(side: u32) -> Work {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..16u8 {
        let pixel = |x: u32, y: u32| Rgb([i * 16, (x * 3) as u8, (y * 2 + u32::from(i)) as u8]);
        RgbImage::from_fn(side, side, pixel).save(folder.path().join(format!("{i}.png"))).unwrap();
        fs::write(folder.path().join(format!("{i}.txt")), format!("a photo of fox {i}")).unwrap();
    }
    let params = json!({"folder": "folder", "size": side, "held_out": 0.5});
    let work = Work::new("ImageFolder", params).file("folder", folder.path());
    work.artifact();
    work
}

#[test]
fn without_a_judge_pictures_are_compared_as_the_clip_sees_them() {
    let (published, data, model) = (Published::new(), colours(64), Tiny::new(Family::Sd15).folder());
    let clip = published.clip();
    clip.artifact();
    let [aesthetic, reward] = [published.aesthetic(&clip.job.output), published.image_reward()];
    aesthetic.artifact();
    reward.artifact();
    let params = json!({
        "teacher": "teacher", "data": "data", "loras": {}, "clip": "clip", "steps": [1], "reference_steps": 2,
        "samples": 12, "batch": 5, "reward": "reward",
        "scores": {"aesthetic": "scores.aesthetic", "image-reward": "scores.image-reward", "pick": "scores.pick"},
    });
    let work = Work::new("Eval", params)
        .input("teacher", model.path())
        .input("data", &data.job.output)
        .input("clip", &clip.job.output)
        .input("reward", &reward.job.output)
        .input("scores.aesthetic", &aesthetic.job.output)
        .input("scores.image-reward", &reward.job.output)
        .input("scores.pick", &clip.job.output);
    let files = work.artifact();
    let metrics: Value = serde_json::from_slice(&files["metrics.json"]).unwrap();
    let rows = metrics["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} of {row}"));
        assert_eq!(row["accuracy"], Value::Null);
        assert!(number("aesthetic").is_finite() && number("frechet") > 0.0);
        assert_eq!(number("image-reward"), number("reward"));
        assert_eq!((100.0 * number("pick")).max(0.0), number("clip_score"));
    }
    // Eight captions for twelve pictures: four come twice. Held-out pictures have a caption each.
    assert_eq!(rows[0]["diversity"], Value::Null);
    assert!(rows[1]["diversity"].as_f64().unwrap() > 0.0);
    assert_ne!(rows[1]["image-reward"], rows[2]["image-reward"]);
    let table = String::from_utf8(files["table.txt"].clone()).unwrap();
    let heading: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading[6..], ["precision", "recall", "coverage", "trajectory", "aesthetic", "image-reward", "pick"]);
}

#[test]
fn a_score_is_raised_by_what_it_rewards() {
    let (published, data) = (Published::new(), colours(16));
    let own = train_clip(json!({"steps": 1})).input("data", &data.job.output);
    own.artifact();
    let teacher = train_teacher(json!({"steps": 1})).input("data", &data.job.output).input("text", &own.job.output);
    teacher.artifact();
    let student =
        segment_distill(json!({"steps": 1})).input("data", &data.job.output).input("teacher", &teacher.job.output);
    student.artifact();
    let clip = published.clip();
    clip.artifact();
    let [aesthetic, reward] = [published.aesthetic(&clip.job.output), published.image_reward()];
    aesthetic.artifact();
    reward.artifact();
    let score = |port: &str| json!({"Score": {"model": port, "weight": 1.0, "threshold": 10.0}});
    let pick = json!({"Clip": {"model": "rewards.2.model", "weight": 1.0}});
    let work = reward_finetune(json!({
        "rewards": [score("rewards.0.model"), score("rewards.1.model"), pick], "rollouts": [1], "anchor": 0.0, "steps": 12,
        "lr": 0.02, "lr_decay": "Constant", "batch": 8,
    }));
    let work = work
        .input("data", &data.job.output)
        .input("teacher", &teacher.job.output)
        .input("student", &student.job.output)
        .input("rewards.0.model", &aesthetic.job.output)
        .input("rewards.1.model", &reward.job.output)
        .input("rewards.2.model", &clip.job.output);
    let losses = work.run().succeeded().losses();
    assert_eq!(losses[0].keys().collect::<Vec<_>>(), ["reward.0", "reward.1", "reward.2"]);
    let total = |step: usize| losses[step].values().sum::<f64>();
    assert!(total(11) < total(0) - 0.01, "{losses:?}");
}
