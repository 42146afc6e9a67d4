//! Models of a hub, which is on this machine and goes wrong as it is told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_flow_flaky_hub::{COMMIT, Fault, Server};
use hyper_flow_spec::{Event, Level};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::chain::teacher;
use crate::lab::{Files, Work, Worker, assert_same};
use crate::tiny_scores;

const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";

/// The teacher, published with much that nobody needs.
struct Published {
    hub: Server,
    files: Files,
}

impl Published {
    fn new() -> Published {
        let mut files = Files::new();
        read(teacher(), "", &mut files);
        let more = ["README.md", "unet/diffusion_pytorch_model.bin", "safety_checker/model.safetensors"];
        let more = more.map(|name| (name, b"not needed".as_slice()));
        let all: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).chain(more).collect();
        Published { hub: Server::new("org/teacher", &all), files }
    }

    fn job(&self, changes: &[(&str, Value)]) -> Work {
        let mut hub = json!({"repo": "org/teacher", "revision": COMMIT});
        changes.iter().for_each(|(name, value)| hub[name] = value.clone());
        let work = Work::new("Diffusers", json!({"hub": hub}));
        work.env("HF_ENDPOINT", &self.hub.url()).env("HF_TOKEN", "hf_secret").env("HF_HUB_DOWNLOAD_TIMEOUT", "60")
    }

    /// The next requests of files go well until the weights of the UNet are asked for.
    fn trouble_with_the_weights(&self, faults: impl IntoIterator<Item = Fault>) {
        let before = self.files.keys().take_while(|name| *name != WEIGHTS).count();
        self.hub.faults(vec![Fault::None; before]).faults(faults);
    }

    /// The first bytes that were asked for in each request of the weights.
    fn ranges(&self) -> Vec<Option<String>> {
        let seen = self.hub.seen().into_iter().filter(|request| request.target.ends_with(WEIGHTS));
        seen.map(|request| request.headers.get("range").cloned()).collect()
    }
}

fn read(folder: &Path, name: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}{}", entry.file_name().to_str().unwrap());
        match entry.path().is_dir() {
            true => read(&entry.path(), &format!("{name}/"), files),
            false => drop(files.insert(name, fs::read(entry.path()).unwrap())),
        }
    }
}

fn imported() -> Files {
    Work::new("Diffusers", json!({"path": "path"})).file("path", teacher()).artifact()
}

#[test]
fn a_model_of_a_hub_is_the_model_of_the_folder() {
    let published = Published::new();
    published.trouble_with_the_weights([Fault::Cut(1000), Fault::Cut(3000)]);
    let work = published.job(&[]);
    let ended = work.run();
    ended.succeeded();
    assert_same("the model", &work.files(), &imported());
    assert_eq!(published.ranges()[1..], [Some("bytes=1000-".to_owned()), Some("bytes=4000-".to_owned())]);
    let asked: Vec<String> = published.hub.seen().into_iter().map(|request| request.target).collect();
    assert!(!asked.iter().any(|target| target.ends_with(".bin") || target.contains("safety")), "{asked:?}");
    let is_whole = |event: &Event| matches!(event, Event::Progress { done, of, unit } if done == of && unit == "bytes");
    assert!(ended.events.iter().any(is_whole), "{ended:#?}");
    assert!(ended.messages(Level::Info)[0].contains("was cut"), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("secret") && !work.json().to_string().contains("secret"));
    let all = published.hub.seen();
    assert!(all.iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
}

/// Where its files come to.
fn scratch(work: &Work) -> PathBuf {
    work.job.scratch.join("hub/org/teacher").join(COMMIT)
}

/// Waits until so many bytes of the weights have come.
fn until_there(work: &Work, bytes: u64) {
    let partial = scratch(work).join(format!("{WEIGHTS}.partial"));
    for _ in 0..6000 {
        if fs::metadata(&partial).is_ok_and(|found| found.len() >= bytes) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the download does not begin");
}

/// A download that ends in the middle, and one that goes on from there.
fn goes_on(end: impl FnOnce(Worker)) {
    let published = Published::new();
    published.trouble_with_the_weights([Fault::Stall(5000)]);
    let work = published.job(&[]);
    let worker = work.start();
    until_there(&work, 5000);
    end(worker);
    assert_eq!(work.files(), Files::new());
    assert_same("the model", &work.artifact(), &imported());
    assert_eq!(published.ranges()[1..], [Some("bytes=5000-".to_owned())]);
}

#[test]
fn a_killed_download_goes_on() {
    goes_on(|worker| assert_eq!(worker.signal(Signal::KILL).status.code(), None));
}

#[test]
fn a_stopped_download_goes_on() {
    goes_on(|worker| {
        let ended = worker.signal(Signal::TERM);
        assert_eq!((ended.status.code(), ended.interrupted()), (Some(143), Some(0)), "{ended:#?}");
    });
}

#[test]
fn wrong_bytes_fail_the_node() {
    let published = Published::new();
    published.trouble_with_the_weights([Fault::WrongBytes]);
    let work = published.job(&[]);
    let message = work.failure();
    assert!(message.starts_with(&format!("`{WEIGHTS}` of org/teacher at {COMMIT}: what ")), "{message}");
    assert!(message.contains("sha256") && message.ends_with("it was deleted"), "{message}");
    assert_eq!(work.files(), Files::new());
    let left: Vec<_> =
        fs::read_dir(scratch(&work).join("unet")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config.json"]);
    work.run().succeeded();
}

#[test]
fn files_that_are_named_are_those_that_come() {
    let published = Published::new();
    let message = published.job(&[("files", json!(["unet/*", "model_indx.json"]))]).failure();
    assert!(
        message.starts_with("org/teacher has no file `model_indx.json` at this commit; it has: model_index.json, ")
    );
    let patterns = json!(["*.json", "*.txt", "text_encoder/*", "unet/*.safetensors"]);
    assert_same("the model", &published.job(&[("files", patterns)]).artifact(), &imported());
}

#[test]
fn a_repository_of_something_else_is_told_before_anything_comes() {
    let hub = Server::new("org/teacher", &[("model.ckpt", b"pickle")]);
    let published = Published { hub, files: Files::new() };
    let message = published.job(&[]).failure();
    assert_eq!(message, format!("org/teacher at {COMMIT} has no model_index.json, so it is no diffusers folder"));
    let hub = Server::new("org/teacher", &[("v1.safetensors", b"one"), ("v2.safetensors", b"two")]);
    let message = Published { hub, files: Files::new() }.job(&[]).failure();
    assert!(
        message.ends_with("named: `files: [\"v1.safetensors\"]` (there are v1.safetensors, v2.safetensors)"),
        "{message}"
    );
}

/// A repository of some of the published score models' files.
fn scores(folder: &Path, names: &[&str]) -> Server {
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, fs::read(folder.join(name)).unwrap())).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.rsplit('/').next().unwrap(), &bytes[..])).collect();
    Server::new("org/scores", &files)
}

fn at_scores() -> Value {
    json!({"repo": "org/scores", "revision": COMMIT})
}

fn score(model: Value, hub: &Server) -> Work {
    Work::new("ScoreModel", json!({"model": model})).env("HF_ENDPOINT", &hub.url())
}

#[test]
fn a_clip_and_its_tokenizer_come_from_a_hub_together_or_apart() {
    let published = tiny_scores::Published::new();
    let whole = published.clip().artifact();
    let model = ["clip/config.json", "clip/model.safetensors"];
    let tokenizer = ["clip-tokenizer/merges.txt", "clip-tokenizer/vocab.json", "clip-tokenizer/tokenizer_config.json"];
    let job = |hub: &Server, params: Value| Work::new("PretrainedClip", params).env("HF_ENDPOINT", &hub.url());

    let hub = scores(&published.at(""), &[&model[..], &tokenizer].concat());
    assert_same("both", &job(&hub, json!({"hub": at_scores()})).artifact(), &whole);
    let hub = scores(&published.at(""), &tokenizer);
    let apart = job(&hub, json!({"path": "path", "tokenizer_hub": at_scores()})).file("path", &published.at("clip"));
    assert_same("the tokenizer", &apart.artifact(), &whole);
    let hub = scores(&published.at(""), &model);
    let apart = job(&hub, json!({"hub": at_scores(), "tokenizer": "tokenizer"}));
    assert_same("the model", &apart.file("tokenizer", &published.at("clip-tokenizer")).artifact(), &whole);
    let message = job(&hub, json!({"hub": at_scores(), "tokenizer_hub": at_scores()})).failure();
    assert!(message.ends_with("has no vocab.json and merges.txt, which make the tokenizer of a CLIP"), "{message}");
}

#[test]
fn scores_come_from_a_hub() {
    let published = tiny_scores::Published::new();
    let clip = published.clip();
    clip.artifact();
    let hub = scores(&published.at(""), &["head.safetensors"]);
    let aesthetic = score(json!({"Aesthetic": {"clip": "model.clip", "head_hub": at_scores()}}), &hub);
    let aesthetic = aesthetic.input("model.clip", &clip.job.output);
    assert_same("aesthetic", &aesthetic.artifact(), &published.aesthetic(&clip.job.output).artifact());

    fs::copy(tiny_scores::vocab(), published.at("vocab.txt")).unwrap();
    let hub = scores(&published.at(""), &["ImageReward.safetensors", "vocab.txt"]);
    let model = json!({"ImageReward": {"weights_hub": at_scores(), "tokenizer_hub": at_scores()}});
    assert_same("ImageReward", &score(model.clone(), &hub).artifact(), &published.image_reward().artifact());
    let hub = scores(&published.at(""), &["ImageReward.safetensors", "head.safetensors"]);
    let message = score(model, &hub).failure();
    assert!(message.ends_with("`files` must name one: ImageReward.safetensors, head.safetensors"), "{message}");
}

#[test]
fn offline_is_respected() {
    let message = Published::new().job(&[]).env("HF_HUB_OFFLINE", "1").failure();
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
}
