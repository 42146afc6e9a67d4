//! The loop with a loss of a few numbers.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::sink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::kinds::{Precision, TrainJudge, Training};
use hyper_flow_spec::{Job, Kind, PROTOCOL};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::checkpoint::Generations;
use super::{Draw, Group, Losses, Recipe, train};
use crate::NodeError;
use crate::worker::{Cancel, Context, Reporter};

/// What goes wrong, in an update counted from 0.
#[derive(Clone, Copy)]
enum Wrong {
    Loss(u64),
    Gradient(u64),
}

/// Pulls weights towards random numbers, by two groups of which the second is yielded.
#[derive(Default)]
struct Toy {
    weights: BTreeMap<&'static str, Tensor>,
    wrong: Cell<Option<Wrong>>,
    /// (group, update, part) of every loss.
    asked: std::cell::RefCell<Vec<(String, u64, i64)>>,
    cancel: Cancel,
    cancel_at: Option<u64>,
    /// An update of a group at which it is asked to stop, and whose parts take long.
    slow: Option<(&'static str, u64)>,
    /// The loss's factor, and whether its gradient passes through float16.
    through: Option<(f64, Precision)>,
}

impl Toy {
    fn new() -> Self {
        let weights = |name| (name, Tensor::from_slice(&[1f32, -2.0, 0.5]).set_requires_grad(true));
        Self { weights: [weights("critic"), weights("main")].into(), ..Self::default() }
    }

    fn group(&self, name: &'static str, updates: u64, first_updates: u64) -> Group {
        let parameters = vec![("w".to_owned(), self.weights[name].shallow_clone())];
        Group { updates, first_updates, ..Group::main(name, parameters, 0.1) }
    }
}

impl Recipe for Toy {
    fn name(&self) -> &'static str {
        "Toy"
    }

    fn precision(&self) -> Precision {
        self.through.map_or(Precision::Fp32, |(_, precision)| precision)
    }

    fn losses<'t>(&'t self, group: &str, draw: &Draw<'_>, _: &Tape<'t>) -> Result<Losses, NodeError> {
        self.asked.borrow_mut().push((group.to_owned(), draw.update, draw.part));
        if group == "main" && Some(draw.update) == self.cancel_at {
            self.cancel.request();
        }
        if self.slow == Some((if group == "main" { "main" } else { "critic" }, draw.update)) {
            self.cancel.request();
            std::thread::sleep(Duration::from_millis(1100));
        }
        let weights = &self.weights[group];
        let pull = match self.through {
            None => (weights - draw.randn("target", &[3])).square().mean(tch::Kind::Float),
            Some((factor, Precision::Fp16)) => weights.to_kind(tch::Kind::Half).mean(tch::Kind::Float) * factor,
            Some((factor, _)) => weights.mean(tch::Kind::Float) * factor,
        };
        let mut losses: Losses = vec![("pull".into(), pull)];
        match self.wrong.get() {
            Some(Wrong::Loss(update)) if group == "main" && update == draw.update => {
                losses.push(("broken".into(), weights.sum(tch::Kind::Float) * f64::INFINITY));
            }
            // √0 is 0, and its slope is not finite.
            Some(Wrong::Gradient(update)) if group == "main" && update == draw.update => {
                losses.push(("steep".into(), (weights - weights.detach()).sqrt().sum(tch::Kind::Float)));
            }
            _ => {}
        }
        Ok(losses)
    }
}

#[test]
fn gradients_survive_float16_whether_small_or_large() {
    let training = training(json!({"steps": 1, "ema": 0.0}));
    // A third of it is below float16's smallest number, and 4096 thirds of it above its largest.
    for factor in [6e-8, 1e5] {
        let [half, exact] = [Precision::Fp16, Precision::Fp32].map(|precision| {
            let toy = Toy { through: Some((factor, precision)), ..Toy::new() };
            run(tempfile::tempdir().unwrap().path(), &toy, &training).unwrap()
        });
        let moved = (&exact - Toy::new().weights["main"].detach()).abs().min().double_value(&[]);
        let apart = (&half - &exact).abs().max().double_value(&[]);
        assert!(moved > 0.05 && apart < 1e-3, "{factor}: {moved} and {apart}");
    }
}

fn context(folder: &Path, cancel: &Cancel) -> Context {
    let kind = Kind::from_json("TrainJudge", json!({"data": "data", "steps": 1})).unwrap();
    let job = Job {
        protocol: PROTOCOL,
        kind,
        inputs: BTreeMap::new(),
        files: BTreeMap::new(),
        output: folder.to_owned(),
        scratch: folder.to_owned(),
        log: folder.to_owned(),
        device: hyper_flow_spec::Device::Cpu,
        threads: 1,
        seed: 3,
        exact: false,
        sample_every: 0,
        checkpoint_seconds: 0.0,
        course: None,
    };
    Context { job, device: Device::Cpu, reporter: Reporter::new(sink()), cancel: cancel.clone() }
}

fn training(changes: Value) -> Training {
    let mut params = json!({"data": "data", "steps": 6, "batch": 8, "ema": 0.5});
    params.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value::<TrainJudge>(params).unwrap().training()
}

/// Trains, and gives the average that is yielded.
fn run(folder: &Path, toy: &Toy, training: &Training) -> Result<Tensor, NodeError> {
    run_in(&context(folder, &toy.cancel), toy, training)
}

fn run_in(context: &Context, toy: &Toy, training: &Training) -> Result<Tensor, NodeError> {
    let average = toy.weights["main"].detach().copy();
    let groups = vec![toy.group("critic", 2, 3), toy.group("main", 1, 0)];
    let averages = vec![("w".to_owned(), average.shallow_clone())];
    train(context, training, groups, averages, toy)?;
    Ok(average)
}

/// The newest checkpoint.
fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension() == Some("safetensors".as_ref())).max()
}

fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    read_tensors(path, tch::Kind::Float, Device::Cpu).unwrap()
}

fn kept(folder: &Path) -> i64 {
    tensors(&newest(folder).unwrap())["step"].int64_value(&[])
}

#[test]
fn a_non_finite_number_names_step_and_term_and_keeps_the_checkpoint() {
    let training = training(json!({}));
    let whole = run(tempfile::tempdir().unwrap().path(), &Toy::new(), &training).unwrap();
    for (wrong, what) in [
        (Wrong::Loss(3), "step 4: the loss term `main.broken` is -inf; nothing after step 3 is kept"),
        (Wrong::Gradient(3), "step 4: the gradient of `main` is inf; nothing after step 3 is kept"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let toy = Toy::new();
        toy.wrong.set(Some(wrong));
        let error = run(folder.path(), &toy, &training).unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
        assert_eq!(kept(folder.path()), 3);
        // What was kept is good: without the mistake, the training goes on as if nothing had happened.
        assert_eq!(run(folder.path(), &Toy::new(), &training).unwrap(), whole);
    }
}

type Change = fn(&mut BTreeMap<String, Tensor>);

#[test]
fn a_checkpoint_of_other_weights_is_set_aside() {
    let training = training(json!({}));
    let whole = run(tempfile::tempdir().unwrap().path(), &Toy::new(), &training).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _ = run(folder.path(), &Toy::new(), &training).unwrap();
    let good = tensors(&newest(folder.path()).unwrap());
    let changes: [(&str, Change); 3] = [
        ("missing", |tensors| drop(tensors.remove("main/optimiser/w.exp_avg"))),
        ("left over", |tensors| drop(tensors.insert("discriminator/parameter/w".to_owned(), Tensor::from(1f32)))),
        ("another shape", |tensors| drop(tensors.insert("average/w".to_owned(), Tensor::from_slice(&[1f32])))),
    ];
    for (what, change) in changes {
        while let Some(path) = newest(folder.path()) {
            std::fs::remove_file(path).unwrap();
        }
        let mut tensors = good.iter().map(|(name, x)| (name.clone(), x.copy())).collect();
        change(&mut tensors);
        let job = context(folder.path(), &Cancel::default()).identity();
        Generations::new(folder.path(), vec![job], 6).write(6, tensors).unwrap();
        let aside = newest(folder.path()).unwrap();
        assert_eq!(run(folder.path(), &Toy::new(), &training).unwrap(), whole, "{what}");
        assert!(aside.with_extension("safetensors.damaged").exists(), "{what}");
    }
}

#[test]
fn a_mistake_in_the_first_step_leaves_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let toy = Toy::new();
    toy.wrong.set(Some(Wrong::Loss(0)));
    let error = run(folder.path(), &toy, &training(json!({}))).unwrap_err().to_string();
    assert!(error.contains("nothing after step 0 is kept"), "{error}");
    assert_eq!(newest(folder.path()), None);
}

#[test]
fn groups_are_updated_as_often_as_they_say() {
    let toy = Toy::new();
    let _ = run(tempfile::tempdir().unwrap().path(), &toy, &training(json!({"steps": 2, "accumulate": 2}))).unwrap();
    let parts = |group: &str, update| [0, 1].map(|part| (group.to_owned(), update, part));
    let critic = |updates: std::ops::Range<u64>| updates.flat_map(|update| parts("critic", update));
    let expected = critic(0..5).chain(parts("main", 0)).chain(critic(5..7)).chain(parts("main", 1));
    assert_eq!(*toy.asked.borrow(), expected.collect::<Vec<_>>());
}

#[test]
fn parts_of_a_batch_train_as_the_whole() {
    let trained = |batch: i64, parts: i64| {
        let training = training(json!({"batch": batch, "accumulate": parts}));
        run(tempfile::tempdir().unwrap().path(), &Toy::new(), &training).unwrap()
    };
    let difference = (trained(16, 1) - trained(4, 4)).abs().max().double_value(&[]);
    assert!(difference < 1e-6, "{difference:e}");
}

#[test]
fn a_training_that_was_asked_to_stop_goes_on_to_the_same_weights() {
    let training = training(json!({}));
    let whole = run(tempfile::tempdir().unwrap().path(), &Toy::new(), &training).unwrap();
    for update in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let toy = Toy { cancel_at: Some(update), ..Toy::new() };
        let error = run(folder.path(), &toy, &training).unwrap_err();
        assert!(matches!(error, NodeError::Interrupted { step } if step == update + 1), "{error}");
        assert_eq!(run(folder.path(), &Toy::new(), &training).unwrap(), whole);
    }
}

#[test]
fn a_step_that_takes_long_is_given_up_between_its_parts() {
    let training = training(json!({"accumulate": 4}));
    let whole = run(tempfile::tempdir().unwrap().path(), &Toy::new(), &training).unwrap();
    // In the third step: before anything of it has changed, what was not yet kept is; later there is no way back to it.
    for (slow, kept) in [(("critic", 7), 2), (("main", 2), 0)] {
        let folder = tempfile::tempdir().unwrap();
        let toy = Toy { slow: Some(slow), ..Toy::new() };
        let mut rarely = context(folder.path(), &toy.cancel);
        rarely.job.checkpoint_seconds = 1e6;
        let error = run_in(&rarely, &toy, &training).unwrap_err();
        assert!(matches!(error, NodeError::Interrupted { step } if step == kept), "{slow:?}: {error}");
        assert_eq!(toy.asked.borrow().last(), Some(&(slow.0.to_owned(), slow.1, 1)), "two parts of four");
        assert_eq!(run(folder.path(), &Toy::new(), &training).unwrap(), whole);
    }
}

#[test]
fn the_average_follows_the_weights() {
    let yielded = |ema: f64| {
        let toy = Toy::new();
        let average = run(tempfile::tempdir().unwrap().path(), &toy, &training(json!({"ema": ema}))).unwrap();
        (average, toy.weights["main"].detach().copy())
    };
    let (average, last) = yielded(0.0);
    assert_eq!(average, last, "without an average the last weights are yielded");
    let (average, last) = yielded(0.9);
    assert_ne!(average, last);
}
