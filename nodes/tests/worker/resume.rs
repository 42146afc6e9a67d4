//! A training that was killed, asked to stop, or left alone goes on where it was, and yields the same bytes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use hyper_flow_spec::{Event, Level};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use serde_json::{Value, json};
use tch::{Device, Kind};

use crate::chain::{
    clip, finetune_lora, perceived, reward_finetune, score_distill, segment_distill, train_clip, train_judge,
    train_segmenter, train_teacher, train_vae,
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
    assert_only_checkpoints(&broken);
}

/// Two of them, and nothing that a kill or a full disk left.
fn assert_only_checkpoints(work: &Work) {
    let names = work.left_in_scratch();
    assert!(names.len() == 2 && work.checkpoints().len() == 2, "{names:?}");
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
fn a_stage_on_buckets_goes_on() {
    check(|| crate::buckets::on_buckets(segment_distill(json!({"steps": STEPS, "batch": 2}))));
}

#[test]
fn a_plain_lora() {
    let weighting = json!({"MinSnr": 5.0});
    check(|| finetune_lora(json!({"steps": STEPS, "empty_captions": 0.2, "weighting": weighting})));
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
fn whatever_asks_it_to_stop_stops_it_with_a_checkpoint() {
    let work = || train_judge(json!({"steps": STEPS, "batch": 64}));
    let (whole, broken) = (work().artifact(), work());
    let mut before = None;
    for signal in [Signal::USR1, Signal::USR2, Signal::XCPU, Signal::HUP, Signal::INT, Signal::TERM] {
        let mut worker = broken.start();
        worker.until_step(1);
        let ended = assert_interrupted(worker.signal(signal));
        assert_eq!(ended.resumed(), before, "{signal:?}");
        before = ended.interrupted();
    }
    assert_eq!(broken.run().succeeded().resumed(), before);
    assert_same("the artifacts", &broken.files(), &whole);
}

#[test]
fn what_is_ignored_at_the_start_does_not_stop_it() {
    let work = train_judge(json!({"steps": STEPS, "batch": 64}));
    let mut worker = work.start_ignoring("HUP INT USR1");
    worker.until_step(1);
    for signal in [Signal::HUP, Signal::INT, Signal::USR1] {
        worker.send(signal);
    }
    worker.until_step(3);
    // Others are not ignored.
    let interrupted = assert_interrupted(worker.signal(Signal::TERM)).interrupted();
    assert!(interrupted >= Some(3));
    let mut worker = work.start_ignoring("HUP");
    worker.until_step(1);
    assert_eq!(worker.signal(Signal::HUP).succeeded().steps().last(), Some(&STEPS));
}

/// A judge of six steps, with the checkpoints after the fifth and the sixth, and what it yields undisturbed.
struct Kept {
    work: Work,
    whole: Files,
    /// The older and the newer one.
    good: [(PathBuf, Vec<u8>); 2],
}

impl Kept {
    fn new() -> Self {
        let work = train_judge(json!({"steps": 6})).with(|job| job.checkpoint_seconds = 0.0);
        let whole = work.artifact();
        let good = work.checkpoints().into_iter().map(|path| (path.clone(), fs::read(path).unwrap()));
        let good = good.collect::<Vec<_>>().try_into().unwrap();
        Self { work, whole, good }
    }

    /// Changes the newer or both, and trains to the end: what was told, and from where it went on.
    fn after(&self, what: &str, both: bool, damage: impl Fn(&Path, &[u8])) -> String {
        fs::remove_dir_all(&self.work.job.scratch).unwrap();
        fs::create_dir(&self.work.job.scratch).unwrap();
        for (i, (path, bytes)) in self.good.iter().enumerate() {
            if both || i == 1 { damage(path, bytes) } else { fs::write(path, bytes).unwrap() }
        }
        let ended = self.work.run();
        let first = if both { 1 } else { 6 };
        assert_eq!(ended.succeeded().steps().first(), Some(&first), "{what}: {ended:#?}");
        assert_eq!(ended.resumed(), (!both).then_some(5), "{what}");
        assert_same(what, &self.work.files(), &self.whole);
        let warnings = ended.messages(Level::Warning);
        let end = if both { "the training starts anew" } else { "the training goes on after step 5" };
        assert!(
            matches!(&warnings[..], [text] if text.contains("is damaged") && text.ends_with(end)),
            "{what}: {warnings:?}"
        );
        let aside = self.work.left_in_scratch().iter().filter(|name| name.ends_with(".damaged")).count();
        assert_eq!(aside, if both { 2 } else { 1 }, "{what}");
        warnings[0].clone()
    }
}

/// Where in a checkpoint its header is, and where the step begins.
fn header_of(bytes: &[u8]) -> (Range<usize>, usize) {
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    (8..end, end + header["step"]["data_offsets"][0].as_u64().unwrap() as usize)
}

#[test]
fn every_part_of_a_checkpoint_is_held_to_its_digest() {
    let kept = Kept::new();
    let bytes = &kept.good[1].1;
    let (header, step) = header_of(bytes);
    let positions = [
        ("the header's length", 0),
        ("the header's length, far too much", 7),
        ("the header's first byte", header.start),
        ("whose it is", 8 + String::from_utf8_lossy(&bytes[8..]).find("\"job\":\"").unwrap() + 9),
        ("the header", header.end / 2),
        ("the first tensor", header.end),
        ("a tensor", (header.end + bytes.len()) / 2),
        ("the last byte", bytes.len() - 1),
        ("the step", step),
    ];
    for (what, position) in positions {
        let flip = |path: &Path, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[position] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        for both in [false, true] {
            kept.after(what, both, flip);
        }
    }
    type Damage = fn(&Path, &[u8]);
    let damages: [(&str, Damage, &str); 6] = [
        ("truncated", |path, bytes| fs::write(path, &bytes[..bytes.len() - 1]).unwrap(), "truncated or damaged"),
        ("longer", |path, bytes| fs::write(path, [bytes, b"x"].concat()).unwrap(), "follow the last tensor"),
        ("no header", |path, bytes| fs::write(path, &bytes[..5]).unwrap(), "shorter than a header"),
        ("the digest", |path, bytes| fs::write(other_digest(path), bytes).unwrap(), "are not those that were written"),
        ("a directory", |path, _| fs::create_dir(path).unwrap(), "not a file"),
        ("a pipe", |path, _| mkfifoat(CWD, path, Mode::RWXU).unwrap(), "not a file"),
    ];
    for (what, damage, why) in damages {
        for both in [false, true] {
            let told = kept.after(what, both, damage);
            assert!(told.contains(why), "{told}");
        }
    }
}

/// The path with another digest in it.
fn other_digest(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    let digit = if &name[20..21] == "0" { "1" } else { "0" };
    path.with_file_name(format!("{}{digit}{}", &name[..20], &name[21..]))
}

#[test]
fn a_checkpoint_of_another_seed_or_parameter_is_refused() {
    let kept = Kept::new();
    let others = [
        train_judge(json!({"steps": 6})).with(|job| job.seed += 1),
        train_judge(json!({"steps": 6, "lr": 1.5e-3})),
        train_judge(json!({"steps": 7})),
    ];
    for other in others {
        other.run().succeeded();
        let told = kept.after("another training's", true, |path, _| {
            let from = other.checkpoint();
            let name = from.file_name().unwrap().to_str().unwrap().to_owned();
            let step = path.file_name().unwrap().to_str().unwrap()[11..19].to_owned();
            // The two of them: one as it was, and one that says another step.
            fs::copy(&from, path.with_file_name(name.replace(&name[11..19], &step))).unwrap();
        });
        assert!(told.contains("it belongs to another training"), "{told}");
    }
}

#[test]
fn a_checkpoint_of_a_version_without_digests_is_gone_on_with() {
    let Kept { work, whole, good } = Kept::new();
    let tensors = read_tensors(&good[0].0, Kind::Float, Device::Cpu).unwrap();
    good.iter().for_each(|(path, _)| fs::remove_file(path).unwrap());
    write_tensors(&work.job.scratch.join("checkpoint.safetensors"), &tensors, None).unwrap();
    let ended = work.run();
    assert_eq!(ended.succeeded().resumed(), Some(5));
    let warnings = ended.messages(Level::Warning);
    assert!(matches!(&warnings[..], [text] if text.contains("a version that kept no digest")), "{warnings:?}");
    assert_same("the artifacts", &work.files(), &whole);
}

#[test]
fn what_a_kill_left_of_a_checkpoint_goes_with_the_next_start() {
    let work = train_judge(json!({"steps": 4})).with(|job| job.checkpoint_seconds = 0.0);
    let whole = work.artifact();
    for left in ["checkpoint.new", "checkpoint.new.partial-1", "checkpoint.safetensors.partial-1"] {
        let left = work.job.scratch.join(left);
        fs::create_dir(&left).unwrap();
        fs::write(left.join(".tmp1"), "half").unwrap();
    }
    assert_eq!(work.run().succeeded().resumed(), Some(4));
    assert_only_checkpoints(&work);
    assert_same("the artifacts", &work.files(), &whole);
}

#[test]
fn a_full_disk_is_told_and_takes_nothing_but_the_way_back() {
    let work = train_judge(json!({"steps": 9})).with(|job| job.checkpoint_seconds = 0.0);
    let whole = work.artifact();
    work.checkpoints().iter().for_each(|path| fs::remove_file(path).unwrap());
    let mut worker = work.start();
    worker.until(|event| matches!(event, Event::Checkpoint { step: 2 }));
    worker.signal(Signal::KILL);
    let kept: Vec<_> = work.checkpoints().iter().map(|path| fs::read(path).unwrap()).collect();
    // There is room for each file of the artifact, and for no checkpoint.
    let largest = whole.values().map(Vec::len).max().unwrap() as u64;
    assert!(largest * 2 < kept[0].len() as u64);
    let ended = work.start_with_disk_of(largest.div_ceil(512) + 1).end();
    let from = ended.succeeded().resumed().unwrap();
    let warnings = ended.messages(Level::Warning);
    let told = format!("; that after step {from} stays, and the training goes on");
    assert!(
        matches!(&warnings[..], [text] if text.contains("File too large") && text.ends_with(&told)),
        "{warnings:?}"
    );
    assert_same("the artifacts", &work.files(), &whole);
    let left: Vec<_> = work.checkpoints().iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(left, kept, "the good ones are there");
    assert_eq!(work.left_in_scratch().len(), kept.len(), "and nothing else");
    assert_eq!(work.run().succeeded().resumed(), Some(from));
    assert_same("the artifacts", &work.files(), &whole);
}

#[test]
fn a_sample_that_cannot_be_written_is_told_and_takes_nothing() {
    let work = || segment_distill(json!({"steps": 2, "student": "student"})).with(|job| job.sample_every = 1);
    let (whole, broken) = (work().artifact(), work());
    fs::create_dir_all(broken.job.log.join("step-000001.png")).unwrap();
    let ended = broken.run();
    let warnings = ended.succeeded().messages(Level::Warning);
    assert!(
        matches!(&warnings[..], [text] if text.starts_with("the sample after step 1 is missing (")),
        "{warnings:?}"
    );
    assert!(!broken.sample(2).is_empty());
    assert_same("the artifacts", &broken.files(), &whole);
}

#[test]
fn asked_to_stop_on_a_full_disk_it_says_which_step_is_kept() {
    let work = train_judge(json!({"steps": STEPS, "batch": 64}));
    let mut worker = work.start();
    worker.until_step(1);
    let kept = assert_interrupted(worker.signal(Signal::TERM)).interrupted();
    let mut worker = work.start_with_disk_of(4);
    worker.until_step(1);
    let ended = worker.signal(Signal::TERM);
    assert_eq!((ended.status.code(), ended.interrupted()), (Some(143), kept));
    assert_eq!(work.run().succeeded().resumed(), kept);
}

#[test]
fn a_finished_training_whose_artifact_was_lost_trains_nothing_again() {
    let work = train_judge(json!({"steps": 3}));
    let whole = work.artifact();
    let ended = work.run();
    assert_eq!((ended.succeeded().resumed(), ended.steps()), (Some(3), vec![]));
    assert_same("the artifacts", &work.files(), &whole);
}

/// A training of more steps begins with the checkpoint of a shorter one of the same course, and yields the same bytes as one
/// that had all steps from the first on.
fn check_longer(work: impl Fn(Value) -> Work) {
    let course = |job: &mut hyper_flow_spec::Job| job.course = Some("a course".to_owned());
    let training = |steps: u64| work(json!({"steps": steps, "lr_decay": "Constant", "lr_warmup": 2}));
    let short = training(5).with(course);
    short.run().succeeded();
    let last = short.checkpoint();
    let begin = |work: &Work| {
        fs::create_dir_all(&work.job.scratch).unwrap();
        fs::copy(&last, work.job.scratch.join(last.file_name().unwrap())).unwrap();
    };
    let long = training(9).with(course);
    begin(&long);
    let ended = long.run();
    assert_eq!((ended.succeeded().resumed(), ended.steps()), (Some(5), (6..=9).collect()));
    assert_eq!(ended.messages(Level::Warning), Vec::<String>::new());
    let whole = training(9);
    assert_same("the artifacts", &long.files(), &whole.artifact());
}

#[test]
fn without_a_course_a_shorter_training_is_another_one() {
    let short = train_judge(json!({"steps": 5}));
    short.artifact();
    let long = train_judge(json!({"steps": 9}));
    fs::create_dir_all(&long.job.scratch).unwrap();
    fs::copy(short.checkpoint(), long.job.scratch.join(short.checkpoint().file_name().unwrap())).unwrap();
    let ended = long.run();
    assert_eq!(ended.succeeded().resumed(), None);
    assert!(ended.messages(Level::Warning)[0].contains("it belongs to another training"));
}

#[test]
fn a_longer_training_of_a_small_model_goes_on_from_a_shorter_one() {
    check_longer(train_clip);
    check_longer(train_judge);
    check_longer(train_segmenter);
    check_longer(train_vae);
    check_longer(train_teacher);
}

#[test]
fn a_longer_distillation_goes_on_from_a_shorter_one() {
    let with = |more: Value| move |steps: Value| crate::chain::over(steps, more.clone());
    let adversarial =
        json!({"student": "student", "batch": 4, "adversarial": {"weight": 0.5, "updates": 2, "warmup": 3}});
    check_longer(|steps| segment_distill(with(adversarial.clone())(steps)));
    check_longer(reward_finetune);
    check_longer(finetune_lora);
    let few = json!({"batch": 4, "rollouts": [2, 4], "pairs": "pairs"});
    check_longer(|steps| score_distill(with(few.clone())(steps)));
}

#[test]
fn the_names_of_checkpoints_say_their_steps() {
    let kept = Kept::new();
    let steps = kept
        .good
        .each_ref()
        .map(|(path, _)| hyper_flow_spec::checkpoint_step(path.file_name().unwrap().to_str().unwrap()));
    assert_eq!(steps, [Some(5), Some(6)]);
    for other in ["checkpoint.new", "checkpoint.safetensors", "checkpoint-00000001-00.safetensors", "course.json"] {
        assert_eq!(hyper_flow_spec::checkpoint_step(other), None, "{other}");
    }
}
