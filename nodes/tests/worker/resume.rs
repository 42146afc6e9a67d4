//! A training that was killed, asked to stop, or left alone goes on where it was, and yields the same bytes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_spec::{Event, Level};
use rustix::process::Signal;
use serde_json::json;

use crate::chain::{
    clip, perceived, reward_finetune, score_distill, segment_distill, train_clip, train_judge, train_segmenter,
    train_teacher, train_vae,
};
use crate::lab::{Ended, Files, Work, assert_same};

/// So many that the worker is still at it when it is killed for the tenth time, on a busy machine too.
const STEPS: u64 = 60;
const KILLS: u64 = 10;
/// No life of a killed worker goes on for more events than this: a step says two, that it is done and in a checkpoint.
const EVENTS: i64 = 8;

/// One training with many lives: killed at random moments, asked to stop, left by its engine, and let go on to the end.
fn check(work: impl Fn() -> Work) {
    let whole = work();
    let began = Instant::now();
    let ended = whole.run();
    let pace = began.elapsed() / STEPS as u32;
    assert_eq!(ended.succeeded().steps(), (1..=STEPS).collect::<Vec<_>>());
    assert_eq!(ended.resumed(), None);
    assert!(ended.memory().peak > 50 << 20, "less than libtorch alone: {:?}", ended.memory());

    let broken = work().with(|job| job.checkpoint_seconds = 0.0);
    let seed = seed();
    say(&format!("HYPER_FLOW_KILLS={seed} kills at these moments"));
    let mut lives: Vec<Ended> =
        (0..KILLS).map(|life| killed(&broken, Rng::at(seed, "kill", life), life, pace)).collect();
    lives.extend([asked_to_stop(&broken), left_alone(&broken), broken.run()]);
    lives[lives.len() - 1].succeeded();
    assert_lives(&lives);
    assert_same("the artifacts", &broken.files(), &whole.files());
    assert_eq!(left_in_scratch(&broken), ["checkpoint.safetensors"], "what kills left is gone");
}

fn left_in_scratch(work: &Work) -> Vec<String> {
    let entries = fs::read_dir(&work.job.scratch).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[expect(clippy::print_stdout, reason = "cargo shows what a test that fails has printed")]
fn say(text: &str) {
    println!("{text}");
}

/// Of all moments of a test: its number is printed, and `HYPER_FLOW_KILLS` sets it.
fn seed() -> u64 {
    let given = std::env::var("HYPER_FLOW_KILLS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish())
}

/// One life that is ended by SIGKILL: at its start, while it reads a checkpoint, in a step, or while it writes a checkpoint.
/// The first life is spared until there is one.
fn killed(work: &Work, mut moment: Rng, life: u64, pace: Duration) -> Ended {
    let events = moment.below(1, EVENTS + 1);
    let rest = pace.mul_f64(moment.below(0, 1000) as f64 / 1000.0);
    say(&format!("life {life}: killed {rest:?} after {events} events"));
    let mut worker = work.start();
    if life == 0 {
        worker.until(|event| matches!(event, Event::Checkpoint { .. }));
    }
    let mut left = events;
    worker.until(|_| {
        left -= 1;
        left == 0
    });
    std::thread::sleep(rest);
    let ended = worker.signal(Signal::KILL);
    assert_eq!(ended.status.code(), None, "killed: {ended:#?}");
    assert_eq!(work.files(), Files::new());
    ended
}

fn asked_to_stop(work: &Work) -> Ended {
    let mut worker = work.start();
    worker.until_step(1);
    assert_interrupted(worker.signal(Signal::TERM))
}

fn left_alone(work: &Work) -> Ended {
    let mut worker = work.start();
    worker.until_step(1);
    assert_interrupted(worker.abandon())
}

/// It stopped after a whole step, which is in the checkpoint.
fn assert_interrupted(ended: Ended) -> Ended {
    assert_eq!(ended.status.code(), Some(143), "{ended:#?}");
    assert_eq!(ended.interrupted(), ended.steps().last().copied());
    assert!(ended.interrupted().is_some());
    ended
}

/// Each life but the first goes on from a checkpoint, with the step after it. Only a kill may lose a step: each was
/// checkpointed, the last one maybe before it could be said.
fn assert_lives(lives: &[Ended]) {
    let mut checkpoint = 0;
    for (i, life) in lives.iter().enumerate() {
        // A life may have been too short to say so.
        if let Some(resumed) = life.resumed() {
            assert!(i > 0 && (checkpoint..=checkpoint + 1).contains(&resumed), "{checkpoint}, and then {life:#?}");
            checkpoint = resumed;
        }
        assert_eq!(life.steps(), (checkpoint + 1..).take(life.steps().len()).collect::<Vec<_>>(), "{life:#?}");
        let kept = |event: &Event| if let Event::Checkpoint { step } = event { Some(*step) } else { None };
        checkpoint = life.events.iter().filter_map(kept).next_back().unwrap_or(checkpoint);
        assert!(checkpoint >= 1, "killed before the first checkpoint: {life:#?}");
    }
    for pair in lives[KILLS as usize..].windows(2) {
        assert_eq!(pair[0].interrupted(), pair[1].resumed());
    }
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
fn train_segmenter_goes_on() {
    check(|| train_segmenter(json!({"steps": STEPS, "batch": 64})));
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
fn an_adversarial_training_goes_on_with_its_discriminator() {
    for form in ["Heads", "Encoder"] {
        let adversarial = json!({"discriminator": form, "weight": 0.5, "updates": 2, "warmup": 3});
        check(|| {
            segment_distill(json!({"steps": STEPS, "student": "student", "batch": 4, "adversarial": adversarial}))
        });
    }
}

#[test]
fn reward_finetune_goes_on() {
    check(|| reward_finetune(json!({"steps": STEPS})));
}

#[test]
fn reward_finetune_with_perception_goes_on() {
    check(|| perceived(json!({"steps": STEPS})));
}

#[test]
fn a_guarded_training_goes_on_with_what_its_guard_has_seen() {
    let guard = json!({"watch": "guard.watch", "every": 3, "captions": 4, "samples": 3, "stop": false});
    check(|| reward_finetune(json!({"steps": STEPS, "guard": guard})).input("guard.watch", clip()));
}

#[test]
fn train_vae_goes_on() {
    check(|| train_vae(json!({"steps": STEPS})));
}

#[test]
fn score_distill_goes_on() {
    check(|| score_distill(json!({"steps": STEPS, "batch": 4})));
}

#[test]
fn score_distill_in_a_few_steps_goes_on() {
    let few = json!({
        "steps": STEPS, "batch": 4, "rollouts": [2, 4], "sampler": {"Tcd": 0.5}, "pairs": "pairs", "adversarial": {},
    });
    check(|| score_distill(few.clone()));
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
fn what_a_kill_left_of_a_checkpoint_goes_with_the_next_start() {
    let work = train_judge(json!({"steps": 4})).with(|job| job.checkpoint_seconds = 0.0);
    let whole = work.artifact();
    let left = work.checkpoint().with_extension("safetensors.partial-1");
    fs::create_dir(&left).unwrap();
    fs::write(left.join(".tmp1"), "half").unwrap();
    let ended = work.run();
    assert_eq!(ended.succeeded().resumed(), Some(4));
    assert!(!left.exists());
    assert_same("the artifacts", &work.files(), &whole);
}

#[test]
fn a_full_disk_fails_the_training_keeps_its_checkpoint_and_costs_no_more_than_a_step() {
    let whole = train_judge(json!({"steps": 6})).artifact();
    let work = train_judge(json!({"steps": 6})).with(|job| job.checkpoint_seconds = 0.0);
    let mut worker = work.start();
    worker.until(|event| matches!(event, Event::Checkpoint { step: 2 }));
    worker.signal(Signal::KILL);
    let kept = fs::read(work.checkpoint()).unwrap();
    let message = work.start_with_disk_of(4).end().failed();
    assert!(message.contains("write") && message.contains("checkpoint.safetensors: File too large"), "{message}");
    assert!(!message.contains("partial"), "{message}");
    assert_eq!(fs::read(work.checkpoint()).unwrap(), kept, "the good one is there");
    assert_eq!(left_in_scratch(&work), ["checkpoint.safetensors"], "and nothing else");
    let ended = work.run();
    assert!(ended.succeeded().resumed() >= Some(2));
    assert_same("the artifacts", &work.files(), &whole);
}

#[test]
fn a_finished_training_whose_artifact_was_lost_trains_nothing_again() {
    let work = train_judge(json!({"steps": 3}));
    let whole = work.artifact();
    let ended = work.run();
    assert_eq!((ended.succeeded().resumed(), ended.steps()), (Some(3), vec![]));
    assert_same("the artifacts", &work.files(), &whole);
}
