//! Inputs that are damaged or do not fit: each gets one message that says where and what to do.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::json;
use tempfile::TempDir;

use crate::chain::{
    clip, digits, digits_file, eval, judge, lora_merge, reward_finetune, sample, score_distill, segment_distill,
    teacher, train_clip, train_judge, train_teacher, tscd,
};
use crate::image_folder::coloured;
use crate::lab::Work;

/// A copy of an artifact, to be damaged.
pub(crate) fn copy(artifact: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_into(artifact, folder.path());
    folder
}

pub(crate) fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_into(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A copy of an artifact of which one file ends too early.
fn cut(artifact: &Path, file: &str) -> TempDir {
    let folder = copy(artifact);
    let path = folder.path().join(file);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    folder
}

#[test]
fn files_that_end_too_early() {
    let train = || segment_distill(json!({"steps": 1, "student": "student"}));
    let unet = cut(teacher(), "unet/diffusion_pytorch_model.safetensors");
    let message = train().input("teacher", unet.path()).failure();
    assert!(
        message.starts_with("<teacher>/unet/diffusion_pytorch_model.safetensors: the header promises"),
        "{message}"
    );
    assert!(message.ends_with("truncated or damaged"), "{message}");
    for (port, artifact, file) in [
        ("data", digits(), "train.safetensors"),
        ("student", tscd(), "lora.safetensors"),
        ("teacher", teacher(), "text_encoder/model.safetensors"),
    ] {
        let message = train().input(port, cut(artifact, file).path()).failure();
        assert!(
            message.starts_with(&format!("<{port}>/{file}: ")) && message.ends_with("truncated or damaged"),
            "{message}"
        );
    }
    let message = eval(json!({})).input("judge", cut(judge(), "model.safetensors").path()).failure();
    assert!(message.starts_with("<judge>/model.safetensors: the header promises"), "{message}");
    let folder = cut(clip(), "model.safetensors");
    let message = reward_finetune(json!({"steps": 1})).input("rewards.0.model", folder.path()).failure();
    assert!(message.starts_with("<rewards.0.model>/model.safetensors: the header promises"), "{message}");
}

#[test]
fn texts_that_end_too_early() {
    let train = |port: &str, folder: TempDir| segment_distill(json!({"steps": 1})).input(port, folder.path()).failure();
    assert_snapshot!(train("teacher", cut(teacher(), "unet/config.json")), @"<teacher>/unet/config.json: EOF while parsing an object at line 60 column 33");
    assert_snapshot!(train("teacher", cut(teacher(), "scheduler/scheduler_config.json")), @"<teacher>/scheduler/scheduler_config.json: EOF while parsing a value at line 14 column 29");
    assert_snapshot!(train("teacher", cut(teacher(), "tokenizer/vocab.json")), @"<teacher>/tokenizer/vocab.json: EOF while parsing a string at line 1 column 5574");
    assert_snapshot!(train("data", cut(digits(), "train.jsonl")), @"<data>/train.jsonl: line 1438, column 30: EOF while parsing a string");
}

#[test]
fn files_that_are_missing() {
    let without = |artifact: &Path, file: &str| {
        let folder = copy(artifact);
        fs::remove_file(folder.path().join(file)).unwrap();
        folder
    };
    let folder = without(tscd(), "lora.safetensors");
    assert_snapshot!(segment_distill(json!({"steps": 1, "student": "student"})).input("student", folder.path()).failure(), @"read <student>/lora.safetensors: No such file or directory (os error 2)");
    let folder = without(digits(), "held_out.jsonl");
    assert_snapshot!(train_judge(json!({"steps": 1})).input("data", folder.path()).failure(), @"read <data>/held_out.jsonl: No such file or directory (os error 2)");
}

#[test]
fn a_student_of_another_rank() {
    let message = segment_distill(json!({"steps": 1, "student": "student", "rank": 4})).failure();
    assert!(message.starts_with("lora: "), "{message}");
    assert!(message.contains("conv_in") || message.contains("has rank 2 where 4 is asked for"), "{message}");
    let message = score_distill(json!({"steps": 1, "student": "student", "rank": 4})).failure();
    assert!(message.contains("has rank 2 where 4 is asked for"), "{message}");
}

#[test]
fn a_student_of_another_alpha_or_of_other_modules() {
    let message = segment_distill(json!({"steps": 1, "student": "student", "alpha": 1.0})).failure();
    assert!(
        message.ends_with("has scale 1 where `alpha` and `rank` give 0.5; leave `alpha` out to keep the student's"),
        "{message}"
    );
    let message = segment_distill(json!({"steps": 1, "student": "student", "modules": ["to_q"]})).failure();
    assert!(message.starts_with("lora: "), "{message}");
    assert_snapshot!(segment_distill(json!({"steps": 1, "modules": ["to_qq"]})).failure(), @"lora: no module is named to_qq");
}

#[test]
fn a_student_of_another_teacher() {
    let other = train_teacher(json!({"steps": 1, "channels": [16, 32]}));
    other.artifact();
    let message = sample(json!({"lora": "lora"})).input("model", &other.job.output).input("lora", tscd()).failure();
    assert!(message.starts_with("lora: "), "{message}");
    assert!(message.contains("adapts [8, 8, 3, 3] where the model has [16, 16, 3, 3]"), "{message}");
    let message = lora_merge(json!({"loras": [["loras.0.0", 1.0], ["loras.1.0", 1.0]]}));
    let other = segment_distill(json!({"steps": 1})).input("teacher", &other.job.output);
    other.artifact();
    let message = message.input("loras.1.0", &other.job.output).failure();
    assert!(message.starts_with("lora: "), "{message}");
}

#[test]
fn pictures_of_another_size_than_the_model_draws() {
    let data = coloured();
    let data = &data.job.output;
    for work in [
        segment_distill(json!({"steps": 1})),
        reward_finetune(json!({"steps": 1})),
        score_distill(json!({"steps": 1})),
        eval(json!({})),
    ] {
        assert_eq!(
            work.input("data", data).failure(),
            "the model draws pictures of 1 channels and 8 pixels, and the dataset's have 3 and 16 pixels; train a model on \
             this dataset",
        );
    }
}

#[test]
fn a_clip_of_other_pictures() {
    let data = coloured();
    let other = train_clip(json!({"steps": 1})).input("data", &data.job.output);
    other.artifact();
    let reward = reward_finetune(json!({"steps": 1})).input("rewards.0.model", &other.job.output);
    assert_snapshot!(reward.failure(), @"the score sees pictures of 3 channels, not of 1; choose one that was trained on such pictures");
    assert_snapshot!(eval(json!({})).input("clip", &other.job.output).failure(), @"the score sees pictures of 3 channels, not of 1; choose one that was trained on such pictures");
}

#[test]
fn a_judge_of_other_captions() {
    let data = coloured();
    let other = train_judge(json!({"steps": 1})).input("data", &data.job.output);
    other.artifact();
    assert_snapshot!(eval(json!({})).input("judge", &other.job.output).failure(), @"the judge has no class `a handwritten digit nine`; train it on the same dataset");
}

/// What a judge is worth is the engine's to say, of the number that is reported.
#[test]
fn a_judge_that_does_not_read_well_says_so_and_is_kept() {
    let work = train_judge(json!({"steps": 1, "min_accuracy": 0.97}));
    let ended = work.run();
    assert!(ended.succeeded().metric("held_out_accuracy") < 0.97);
    assert_eq!(work.files(), train_judge(json!({"steps": 1, "min_accuracy": 0.0})).artifact());
}

#[test]
fn patches_and_levels_that_do_not_fill_the_pictures() {
    assert_snapshot!(train_clip(json!({"steps": 1, "patch": 3})).failure(), @"patches of 3 pixels do not fill pictures of 8; change `patch`");
    let levels = json!({"steps": 1, "channels": [8, 8, 8, 8, 8]});
    assert_snapshot!(train_teacher(levels).failure(), @"pictures of 8 pixels cannot be halved for 5 levels of `channels`");
}

fn digits_of(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.csv.gz");
    let mut packed = GzEncoder::new(fs::File::create(&path).unwrap(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap();
    Work::new("Digits", json!({"file": "file"})).file("file", &path).failure()
}

fn row(shade: &str, label: &str) -> String {
    format!("{}{label}\n", format!("{shade},").repeat(64))
}

#[test]
fn digits_with_a_wrong_row() {
    let good = row("3", "7");
    assert_snapshot!(digits_of(&format!("{good}{}", row("17", "1"))), @"<file>: row 2: a shade of 17 is not in 0..=16");
    assert_snapshot!(digits_of(&format!("{good}{}", row("3", "10"))), @"<file>: row 2: 10 is no digit");
    assert_snapshot!(digits_of(&format!("{good}{}", row("3", "1.5"))), @"<file>: row 2: 1.5 is no digit");
    assert_snapshot!(digits_of(&format!("{good}{}", row("NaN", "1"))), @"<file>: row 2: a shade of NaN is not in 0..=16");
    assert_snapshot!(digits_of(&format!("{good}{}", row("x", "1"))), @"<file>: row 2: CSV deserialize error: record 1 (line: 2, byte: 130): field 0: invalid float literal");
    assert_snapshot!(digits_of("1,2,3\n"), @"<file>: row 1: 3 values where 64 shades and a digit belong");
    assert_snapshot!(digits_of(&format!("{good}1,2,3\n")), @"<file>: row 2: CSV error: record 1 (line: 2, byte: 130): found record with 3 fields, but the previous record has 65 fields");
    assert_snapshot!(digits_of(&good), @"of 1 pictures 0 would be held out: both halves need one; change `held_out` or add pictures");
    assert_snapshot!(digits_of(""), @"of 0 pictures 0 would be held out: both halves need one; change `held_out` or add pictures");
}

#[test]
fn digits_that_are_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.csv.gz");
    fs::write(&path, row("3", "7")).unwrap();
    let plain = Work::new("Digits", json!({"file": "file"})).file("file", &path);
    assert_snapshot!(plain.failure(), @"<file>: row 1: invalid gzip header");
    let whole = fs::read(digits_file()).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_snapshot!(plain.failure(), @"<file>: row 895: incomplete deflate stream");
    fs::remove_file(&path).unwrap();
    assert_snapshot!(plain.failure(), @"read <file>: No such file or directory (os error 2)");
}
