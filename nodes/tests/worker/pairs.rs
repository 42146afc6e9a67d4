//! `OdePairs`: noise and what the teacher draws from it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use hyper_flow_spec::{Event, Level};
use insta::assert_snapshot;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::bad_inputs::{copy, copy_into};
use crate::chain::{digits, ode_pairs, pairs, score_distill, train_teacher};
use crate::lab::{Files, assert_same};

fn tensor(folder: &Path, key: &str) -> Tensor {
    read_tensors(&folder.join(format!("{key}.safetensors")), Kind::Float, Device::Cpu).unwrap().remove(key).unwrap()
}

fn captions(folder: &Path, file: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        *counts.entry(line["text"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn each_noise_has_a_picture_and_a_caption() {
    let files = fs::read_dir(pairs()).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(files.len(), 3, "{files:?}");
    let (noise, samples) = (tensor(pairs(), "noise"), tensor(pairs(), "samples"));
    assert_eq!((noise.size(), samples.size()), (vec![24, 1, 8, 8], vec![24, 1, 8, 8]));
    let own = Rng::at(7, "OdePairs", 23).randn(&[1, 8, 8], (Kind::Float, Device::Cpu));
    assert_eq!(noise.get(23), own, "a function of seed and place");
    let said = captions(pairs(), "captions.jsonl");
    let known = captions(digits(), "train.jsonl");
    assert_eq!(said.values().sum::<usize>(), 24);
    assert!(said.len() > 4 && said.keys().all(|caption| known.contains_key(caption)), "{said:?}");
}

#[test]
fn as_many_pairs_as_samples_have_each_caption_as_often() {
    let count = captions(digits(), "train.jsonl").values().sum::<usize>();
    let work = ode_pairs(json!({"count": 2 * count, "batch": 500}));
    work.artifact();
    let twice = captions(digits(), "train.jsonl").into_iter().map(|(caption, n)| (caption, 2 * n));
    assert_eq!(captions(&work.job.output, "captions.jsonl"), twice.collect());
}

#[test]
fn guidance_and_steps_change_the_pictures_and_not_the_noise() {
    for changes in [json!({"guidance": 2.0}), json!({"steps": 2})] {
        let work = ode_pairs(changes.clone());
        work.artifact();
        assert_eq!(tensor(&work.job.output, "noise"), tensor(pairs(), "noise"));
        assert_ne!(tensor(&work.job.output, "samples"), tensor(pairs(), "samples"), "{changes}");
    }
}

#[test]
fn interrupted_it_goes_on_and_yields_the_same_bytes() {
    let work = || ode_pairs(json!({"count": 300, "steps": 4})).with(|job| job.checkpoint_seconds = 0.0);
    let (whole, broken) = (work().artifact(), work());
    let mut worker = broken.start();
    worker.until(|event| matches!(event, Event::Progress { done, .. } if *done >= 20));
    let killed = worker.signal(Signal::KILL);
    assert_eq!((killed.status.code(), broken.files()), (None, Files::new()));
    let ended = broken.run();
    assert!(ended.succeeded().resumed() >= Some(15));
    assert_same("the artifacts", &broken.files(), &whole);
}

/// Flips a bit of the byte at a share of a file.
fn flip(path: &Path, at: f64) {
    let mut bytes = fs::read(path).unwrap();
    let position = (bytes.len() as f64 * at) as usize;
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_of_the_rows_before_is_computed_anew() {
    let work = || ode_pairs(json!({"count": 300, "steps": 4})).with(|job| job.checkpoint_seconds = 0.0);
    let (whole, broken) = (work().artifact(), work());
    let mut worker = broken.start();
    worker.until(|event| matches!(event, Event::Progress { done, .. } if *done >= 60));
    worker.signal(Signal::KILL);
    let (scratch, kept) = (broken.job.scratch.clone(), copy(&broken.job.scratch));
    let noted = fs::read_to_string(scratch.join("noise.done")).unwrap();
    let rows = |line: &str| serde_json::from_str::<Value>(line).unwrap()["rows"].as_u64().unwrap();
    let points: Vec<u64> = noted.lines().map(rows).collect();
    let (last, before) = (points[points.len() - 1], points[points.len() - 2]);

    type Damage = fn(&Path);
    let damages: [(&str, Damage, Option<Range<u64>>); 9] = [
        ("nothing", |_| (), Some(last..last + 1)),
        ("a row", |folder| flip(&folder.join("samples.safetensors"), 0.6), Some(1..last)),
        ("the header", |folder| flip(&folder.join("noise.safetensors"), 0.0), None),
        ("the last note", |folder| flip(&folder.join("noise.done"), 0.999), Some(before..before + 1)),
        ("the first note", |folder| flip(&folder.join("noise.done"), 0.001), None),
        (
            "a number of rows",
            |folder| {
                let note = folder.join("noise.done");
                let text = fs::read_to_string(&note).unwrap();
                fs::write(note, text.replace("\"rows\":", "\"rows\":1")).unwrap();
            },
            None,
        ),
        (
            "a directory for the note",
            |folder| {
                fs::remove_file(folder.join("noise.done")).unwrap();
                fs::create_dir(folder.join("noise.done")).unwrap();
            },
            None,
        ),
        (
            "a pipe for the rows",
            |folder| {
                fs::remove_file(folder.join("noise.safetensors")).unwrap();
                mkfifoat(CWD, folder.join("noise.safetensors"), Mode::RWXU).unwrap();
            },
            None,
        ),
        (
            "a link to nowhere for the rows",
            |folder| {
                fs::remove_file(folder.join("samples.safetensors")).unwrap();
                symlink("nowhere", folder.join("samples.safetensors")).unwrap();
            },
            None,
        ),
    ];
    for (what, damage, resumed) in damages {
        fs::remove_dir_all(&scratch).unwrap();
        copy_into(kept.path(), &scratch);
        damage(&scratch);
        let ended = broken.run();
        let from = ended.succeeded().resumed();
        assert!(
            from.is_some() == resumed.is_some() && from.is_none_or(|from| resumed.unwrap().contains(&from)),
            "{what}: {from:?}"
        );
        let warnings = ended.messages(Level::Warning);
        match what {
            "nothing" => assert_eq!(warnings, [""; 0]),
            _ => assert!(matches!(&warnings[..], [text] if text.contains("is damaged")), "{what}: {warnings:?}"),
        }
        assert_same(what, &broken.files(), &whole);
    }
}

#[test]
fn rows_of_another_job_are_refused_and_those_of_a_version_without_digests_trusted() {
    let work =
        |seed| ode_pairs(json!({"count": 40, "steps": 4})).with(|job| (job.checkpoint_seconds, job.seed) = (0.0, seed));
    let (mine, other) = (work(1), work(2));
    let whole = mine.artifact();
    let mut worker = other.start();
    worker.until(|event| matches!(event, Event::Progress { .. }));
    worker.signal(Signal::TERM);
    copy_into(&other.job.scratch, &mine.job.scratch);
    let ended = mine.run();
    assert_eq!(ended.succeeded().resumed(), None);
    assert!(ended.messages(Level::Warning)[0].contains("is damaged"));
    assert_same("the artifacts", &mine.files(), &whole);

    let mut worker = mine.start();
    worker.until(|event| matches!(event, Event::Progress { .. }));
    let rows = worker.signal(Signal::TERM).interrupted().unwrap();
    fs::write(mine.job.scratch.join("noise.done"), rows.to_string()).unwrap();
    let ended = mine.run();
    assert_eq!(ended.succeeded().resumed(), Some(rows));
    let warnings = ended.messages(Level::Warning);
    assert!(matches!(&warnings[..], [text] if text.contains("a version that kept no digest")), "{warnings:?}");
    assert_same("the artifacts", &mine.files(), &whole);
}

#[test]
fn pairs_that_do_not_fit() {
    let held = |folder: &Path| score_distill(json!({"steps": 1, "pairs": "pairs"})).input("pairs", folder).failure();
    let other = copy(pairs());
    let text = fs::read_to_string(other.path().join("captions.jsonl")).unwrap();
    fs::write(other.path().join("captions.jsonl"), text.replace("digit", "letter")).unwrap();
    let message = held(other.path());
    assert!(
        message.starts_with("<pairs>/captions.jsonl: the data have no caption `a handwritten letter "),
        "{message}"
    );

    let few = copy(pairs());
    fs::write(few.path().join("captions.jsonl"), text.lines().next().unwrap()).unwrap();
    assert_snapshot!(held(few.path()), @"<pairs>/noise.safetensors: 24 rows and 1 captions");

    let whole = copy(pairs());
    fs::remove_file(whole.path().join("samples.safetensors")).unwrap();
    assert_snapshot!(held(whole.path()), @"read <pairs>/samples.safetensors: No such file or directory (os error 2)");
    fs::copy(digits().join("train.safetensors"), whole.path().join("samples.safetensors")).unwrap();
    assert_snapshot!(held(whole.path()), @"<pairs>/samples.safetensors: has no `samples` in fp32");
    let larger = Tensor::zeros([24, 1, 16, 16], (Kind::Float, Device::Cpu));
    write_tensors(&whole.path().join("samples.safetensors"), &BTreeMap::from([("samples".to_owned(), larger)]), None)
        .unwrap();
    assert_snapshot!(held(whole.path()), @"<pairs>/samples.safetensors: the samples are [1, 16, 16], and the teacher's [1, 8, 8]; draw the pairs with this teacher: `OdePairs(teacher: …)`");
}

#[test]
fn a_broken_teacher_draws_no_pairs() {
    let teacher = train_teacher(json!({"steps": 1}));
    teacher.artifact();
    let folder =
        crate::non_finite::poisoned(&teacher.job.output, "unet/diffusion_pytorch_model.safetensors", "conv_out.bias");
    let message = ode_pairs(json!({})).input("teacher", folder.path()).failure();
    assert_snapshot!(message, @"the pictures of `teacher` in 1 steps are not finite; its weights are broken");
}
