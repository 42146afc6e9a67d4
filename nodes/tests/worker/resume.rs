//! A training that was killed, asked to stop, or left alone goes on where it was, and yields the same bytes.

use std::fs;

use hyper_flow_spec::Level;
use rustix::process::Signal;
use serde_json::json;

use crate::chain::{reward_finetune, score_distill, segment_distill, train_clip, train_judge, train_teacher};
use crate::lab::{Ended, Files, Work, assert_same};

/// So many that there is time to interrupt them three times, on a busy machine too.
const STEPS: u64 = 40;

/// One training with four lives: killed, asked to stop, left by its engine, and let go on to the end.
fn check(work: impl Fn() -> Work) {
    let whole = work();
    let ended = whole.run();
    assert_eq!(ended.succeeded().steps(), (1..=STEPS).collect::<Vec<_>>());
    assert_eq!(ended.resumed(), None);
    assert!(ended.memory().peak > 50 << 20, "less than libtorch alone: {:?}", ended.memory());

    let broken = work().with(|job| job.checkpoint_seconds = 0.0);
    let lives = [killed(&broken), asked_to_stop(&broken), left_alone(&broken), broken.run()];
    lives[3].succeeded();
    assert_lives(&lives);
    assert_same("the artifacts", &broken.files(), &whole.files());
}

fn killed(work: &Work) -> Ended {
    let mut worker = work.start();
    worker.until_step(2);
    let ended = worker.signal(Signal::KILL);
    assert_eq!(ended.status.code(), None, "killed: {ended:#?}");
    assert_eq!(work.files(), Files::new());
    ended
}

fn asked_to_stop(work: &Work) -> Ended {
    let mut worker = work.start();
    worker.until_step(4);
    assert_interrupted(worker.signal(Signal::TERM))
}

fn left_alone(work: &Work) -> Ended {
    let mut worker = work.start();
    worker.until_step(6);
    assert_interrupted(worker.abandon())
}

/// It stopped after a whole step, which is in the checkpoint.
fn assert_interrupted(ended: Ended) -> Ended {
    assert_eq!(ended.status.code(), Some(143), "{ended:#?}");
    assert_eq!(ended.interrupted(), ended.steps().last().copied());
    assert!(ended.interrupted().is_some());
    ended
}

/// Each life begins at the step after its checkpoint. Only the kill may have lost a step: each was checkpointed.
fn assert_lives(lives: &[Ended]) {
    for pair in lives.windows(2) {
        let resumed = pair[1].resumed().expect("it goes on");
        assert!(resumed >= 1);
        assert_eq!(pair[1].steps().first(), Some(&(resumed + 1)), "{:?}", pair[1].events);
        assert!(pair[0].steps().last().is_some_and(|&last| last == resumed || last == resumed + 1));
    }
    for pair in lives[1..].windows(2) {
        assert_eq!(pair[0].interrupted(), pair[1].resumed());
    }
    let done: Vec<u64> = lives.iter().flat_map(Ended::steps).collect();
    let lost = done.len() as u64 - STEPS;
    assert!(lost <= 1, "{lost} steps were done twice");
}

#[test]
fn train_clip_goes_on() {
    check(|| train_clip(json!({"steps": STEPS, "batch": 64})));
}

#[test]
fn train_judge_goes_on() {
    check(|| train_judge(json!({"steps": STEPS, "batch": 64})));
}

#[test]
fn train_teacher_goes_on() {
    check(|| train_teacher(json!({"steps": STEPS, "accumulate": 2, "batch": 4, "lr_warmup": 3})));
}

#[test]
fn segment_distill_goes_on() {
    check(|| segment_distill(json!({"steps": STEPS, "student": "student"})));
}

#[test]
fn reward_finetune_goes_on() {
    check(|| reward_finetune(json!({"steps": STEPS})));
}

#[test]
fn score_distill_goes_on() {
    check(|| score_distill(json!({"steps": STEPS, "batch": 4})));
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_training_starts_anew() {
    let work = train_judge(json!({"steps": 6})).with(|job| job.checkpoint_seconds = 0.0);
    let whole = work.artifact();
    let bytes = fs::read(work.checkpoint()).unwrap();
    let no_header = (bytes[..5].to_vec(), "shorter than a header");
    let cut = (bytes[..bytes.len() - 9].to_vec(), "truncated or damaged");
    let nonsense = (b"this is no file of weights at all".to_vec(), "not a safetensors file");
    for (damaged, why) in [no_header, cut, nonsense] {
        fs::write(work.checkpoint(), &damaged).unwrap();
        let ended = work.run();
        assert_eq!(ended.succeeded().steps().first(), Some(&1));
        assert_eq!(ended.resumed(), None);
        let warnings = ended.messages(Level::Warning);
        assert!(matches!(&warnings[..], [text] if text.contains("is damaged") && text.contains(why)), "{warnings:?}");
        assert_eq!(fs::read(work.checkpoint().with_extension("damaged")).unwrap(), damaged);
        assert_same(why, &work.files(), &whole);
    }
}

#[test]
fn a_finished_training_whose_artifact_was_lost_trains_nothing_again() {
    let work = train_judge(json!({"steps": 3}));
    let whole = work.artifact();
    let ended = work.run();
    assert_eq!((ended.succeeded().resumed(), ended.steps()), (Some(3), vec![]));
    assert_same("the artifacts", &work.files(), &whole);
}
