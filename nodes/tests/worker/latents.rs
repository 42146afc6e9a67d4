//! `EncodeLatents`, and distilling on what it yields.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::AutoencoderKl;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use hyper_flow_diffusion::{TextEncoders, TimeIds};
use hyper_flow_spec::{Event, Level};
use image::{Rgb, RgbImage};
use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, no_grad};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{clip, digits, over, reward_finetune, score_distill, segment_distill, teacher};
use crate::lab::{Ended, Files, Work, assert_same};
use crate::tiny_models::{Family, Tiny, edit};

const CAPTIONS: [&str; 3] = ["the red sea", "a red fox", "a house by the sea"];
const PICTURES: usize = 10;

/// Ten pictures of three captions and this side.
fn pictures(side: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..PICTURES {
        let colour = |x: u32, y: u32| Rgb([(x * 3) as u8, (y * 3) as u8, (i * 25) as u8]);
        RgbImage::from_fn(side, side, colour).save(folder.path().join(format!("{i}.png"))).unwrap();
        fs::write(folder.path().join(format!("{i}.txt")), CAPTIONS[i % 3]).unwrap();
    }
    let work = Work::new("ImageFolder", json!({"folder": "folder", "size": side, "held_out": 0.2}));
    let work = work.file("folder", folder.path());
    work.artifact();
    work.into_artifact()
}

/// The pictures that the tiny models draw are of this size.
fn dataset() -> &'static Path {
    static MADE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| pictures(64));
    &MADE.1
}

fn encode(model: &Path, data: &Path, changes: Value) -> Work {
    let base = json!({"model": "model", "data": "data", "batch": 3});
    Work::new("EncodeLatents", over(base, changes)).input("model", model).input("data", data)
}

fn tensors(folder: &Path, file: &str) -> BTreeMap<String, Tensor> {
    // In the dtype of the file: a `kind` would convert.
    let path = folder.join(format!("{file}.safetensors"));
    let kind = hyper_flow_diffusion::weights::WeightFile::open(&path).unwrap();
    let kind = kind.keys().next().and_then(|key| kind.dtype(key)).unwrap();
    read_tensors(&path, kind, Device::Cpu).unwrap()
}

fn texts(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(format!("{file}.jsonl"))).unwrap();
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    text.lines().map(of).collect()
}

/// The tiny tokenizers read 16 tokens, begin and end among them; every letter that stands alone is one.
#[test]
fn captions_of_which_the_end_is_not_read_are_told() {
    let (model, data) = (Tiny::new(Family::Sdxl).folder(), copy(dataset()));
    let path = data.path().join("train.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.contains("\"text\""));
    let (fits, long) = ("a ".repeat(14), "a ".repeat(15));
    let lines: Vec<&str> = rest.lines().skip(1).collect();
    fs::write(&path, format!("{{\"text\":\"{fits}\"}}\n{{\"text\":\"{long}\"}}\n{}\n", lines.join("\n"))).unwrap();
    let ended = encode(model.path(), data.path(), json!({})).run();
    let told = format!("1 of 5 captions have more than the 16 tokens that are read of each: \"{long}\" (17)");
    assert_eq!(ended.succeeded().messages(Level::Warning), [told]);
}

/// What the library makes of the first batch of training pictures, and of the captions.
#[test]
fn latents_and_conditions_are_those_of_the_encoders() {
    // As many threads as the worker's, or sums differ in their last bits.
    tch::set_num_threads(1);
    for family in [Family::Sd15, Family::Sdxl] {
        let model = Tiny::new(family).folder();
        let work = encode(model.path(), dataset(), json!({}));
        let files = work.artifact();
        let folder = &work.job.output;
        let mut names =
            vec!["captions.jsonl", "empty.safetensors", "held_out.jsonl", "held_out.safetensors", "latents.json"];
        names.extend((family == Family::Sdxl).then_some("pooled.safetensors"));
        names.extend(["text.safetensors", "train.jsonl", "train.safetensors"]);
        assert_eq!(files.keys().collect::<Vec<_>>(), names);
        for half in ["train", "held_out"] {
            assert_eq!(texts(folder, half), texts(dataset(), half));
        }

        let latents = &tensors(folder, "train")["latents"];
        assert_eq!((latents.size(), latents.kind()), (vec![8, 4, 8, 8], Kind::Float));
        assert_eq!(tensors(folder, "held_out")["latents"].size(), [2, 4, 8, 8]);
        let vae = AutoencoderKl::load(&model.path().join("vae"), Kind::Float, Device::Cpu).unwrap();
        let images = tensors(dataset(), "train")["images"].narrow(0, 0, 3).to_kind(Kind::Float) / 127.5 - 1.0;
        let noise = |i| Rng::at(7, "EncodeLatents/train", i).randn(&[4, 8, 8], (Kind::Float, Device::Cpu));
        let noise = Tensor::stack(&[noise(0), noise(1), noise(2)], 0);
        assert_eq!(latents.narrow(0, 0, 3), no_grad(|| vae.to_latents(&images, Some(&noise))));

        let encoders = TextEncoders::load(model.path(), Kind::Float, Device::Cpu).unwrap();
        assert_eq!(texts(folder, "captions"), ["a house by the sea", "a red fox", "the red sea"]);
        let conditions = encoders.encode(&texts(folder, "captions"), TimeIds::square(64)).unwrap();
        let empty = encoders.empty(TimeIds::square(64)).unwrap();
        assert_eq!(tensors(folder, "text")["text"], conditions.text);
        assert_eq!(tensors(folder, "empty")["text"], empty.text);
        if let (Some(added), Some(none)) = (conditions.added, empty.added) {
            assert_eq!(tensors(folder, "pooled")["pooled"], added.text_embeds);
            assert_eq!(tensors(folder, "empty")["pooled"], none.text_embeds);
        }
    }
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    let model = Tiny::new(Family::Sdxl).folder();
    let work = || encode(model.path(), dataset(), json!({}));
    let files = work().artifact();
    assert_same("twice", &files, &work().artifact());
    let other = work().with(|job| job.seed = 8).artifact();
    let differ: Vec<_> = files.keys().filter(|name| files[*name] != other[*name]).collect();
    assert_eq!(differ, ["held_out.safetensors", "train.safetensors"], "only what is drawn depends on the seed");
}

#[test]
fn rows_are_kept_in_the_dtype_that_is_asked_for() {
    let model = Tiny::new(Family::Sdxl).folder();
    let full = encode(model.path(), dataset(), json!({}));
    full.artifact();
    for (precision, kind) in [("Fp16", Kind::Half), ("Bf16", Kind::BFloat16)] {
        let work = encode(model.path(), dataset(), json!({"precision": precision}));
        work.artifact();
        for (file, key) in [("train", "latents"), ("text", "text"), ("pooled", "pooled"), ("empty", "pooled")] {
            let (own, wide) = (&tensors(&work.job.output, file)[key], &tensors(&full.job.output, file)[key]);
            assert_eq!((own.kind(), own.size()), (kind, wide.size()));
            let error = (own.to_kind(Kind::Float) - wide).abs().max().double_value(&[]);
            let scale = wide.abs().max().double_value(&[]).max(1.0);
            assert!(error < 0.05 * scale, "{precision} {file}: {error} of {scale}");
        }
    }
}

/// Digits, whose many pictures leave time to interrupt, in batches of less than a write's buffer.
fn long() -> (TempDir, Work) {
    let model = Tiny::of_digits(Family::Sdxl).folder();
    let work = encode(model.path(), digits(), json!({"batch": 4})).with(|job| job.checkpoint_seconds = 0.0);
    (model, work)
}

/// Listens until some of the pictures of a half are done.
fn interrupted(work: &Work, half: &str, at: u64, signal: Signal) -> Ended {
    let mut worker = work.start();
    let unit = format!("{half} pictures");
    worker.until(|event| matches!(event, Event::Progress { done, unit: of, .. } if *of == unit && *done >= at));
    worker.signal(signal)
}

#[test]
fn an_interrupted_node_goes_on_and_yields_the_same_bytes() {
    let (_model, whole) = long();
    let files = whole.artifact();
    let (_model, work) = long();
    let killed = interrupted(&work, "train", 200, Signal::KILL);
    assert_eq!((killed.status.code(), work.files()), (None, Files::new()));
    let stopped = interrupted(&work, "train", 600, Signal::TERM);
    assert_eq!(stopped.status.code(), Some(143), "{stopped:#?}");
    let first = stopped.events.iter().find_map(|event| match event {
        Event::Progress { done, unit, .. } if unit == "train pictures" => Some(*done),
        _ => None,
    });
    assert!(first >= Some(200), "the first pictures are not encoded again: {first:?}");
    let kept = stopped.interrupted().unwrap();
    assert!(kept >= 600);
    let again = interrupted(&work, "held_out", 32, Signal::KILL);
    assert_eq!(again.status.code(), None);
    let last = work.run();
    // The text, the finished half, and the other one from where it was.
    let resumed: Vec<u64> = last
        .events
        .iter()
        .filter_map(|event| if let Event::Resumed { step } = event { Some(*step) } else { None })
        .collect();
    assert!(matches!(resumed[..], [10, 1438, at] if at >= 16), "{resumed:?}");
    last.succeeded();
    for life in [&stopped, &again, &last] {
        assert_eq!(life.messages(Level::Warning), [""; 0], "what is noted is on disk");
    }
    assert_same("the artifacts", &work.files(), &files);
}

#[test]
fn what_was_kept_and_is_damaged_is_computed_anew() {
    let (_model, work) = long();
    let files = work.artifact();
    for damage in [b"".as_slice(), b"nonsense"] {
        interrupted(&work, "train", 200, Signal::KILL);
        fs::write(work.job.scratch.join("train.safetensors"), damage).unwrap();
        fs::write(work.job.scratch.join("text.done"), "ten").unwrap();
        let ended = work.run();
        let warnings = ended.succeeded().messages(Level::Warning);
        assert!(warnings.len() == 2 && warnings.iter().all(|text| text.contains("is damaged")), "{warnings:?}");
        assert_same("the artifacts", &work.files(), &files);
    }
}

#[test]
fn what_cannot_be_encoded() {
    let model = Tiny::new(Family::Sd15).folder();
    assert_snapshot!(encode(teacher(), digits(), json!({})).failure(), @"the model draws pixels and has no VAE; train on the dataset itself");
    assert_snapshot!(encode(model.path(), digits(), json!({})).failure(), @"the VAE takes pictures of 3 channels whose sides are multiples of 8 pixels, and the dataset's have 1 and 8 pixels; set `channels` and `size` or `buckets` where it is read in");
    let odd = pictures(12);
    assert_snapshot!(encode(model.path(), &odd.1, json!({})).failure(), @"the VAE takes pictures of 3 channels whose sides are multiples of 8 pixels, and the dataset's have 3 and 12 pixels; set `channels` and `size` or `buckets` where it is read in");
    let path = model.path().join("vae/diffusion_pytorch_model.safetensors");
    let mut weights = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    weights.insert("quant_conv.bias".into(), Tensor::full([8], f64::NAN, (Kind::Float, Device::Cpu)));
    write_tensors(&path, &weights, None).unwrap();
    assert_snapshot!(encode(model.path(), dataset(), json!({})).failure(), @"the latents of train pictures 0 to 2 are not finite; if the VAE's weights are sound, use another `precision`");
}

/// The latents of a tiny model, and the model.
fn latents(model: &Tiny, data: &Path) -> (TempDir, Work) {
    let folder = model.folder();
    let work = encode(folder.path(), data, json!({}));
    work.artifact();
    (folder, work)
}

fn lora_norm(files: &Files) -> usize {
    files["lora.safetensors"].iter().filter(|&&byte| byte != 0).count()
}

#[test]
fn models_of_latents_are_distilled_on_them() {
    for family in [Family::Sd15, Family::Sd21, Family::Sdxl] {
        let (model, data) = latents(&Tiny::new(family), dataset());
        let precision = if family == Family::Sdxl { "Bf16" } else { "Fp32" };
        let changes = json!({"steps": 2, "batch": 2, "precision": precision});
        for work in [segment_distill(changes.clone()), score_distill(changes)] {
            let kind = work.job.kind.name();
            let work = work.input("teacher", model.path()).input("data", &data.job.output);
            let work = work.with(|job| job.sample_every = 2);
            let ended = work.run();
            let losses = ended.succeeded().losses();
            assert!(losses.iter().flat_map(BTreeMap::values).all(|loss| loss.is_finite()), "{losses:?}");
            assert!(lora_norm(&work.files()) > 1000, "{kind} {family:?}");
            let sample = image::load_from_memory(&work.sample(2)).unwrap();
            let size = (6 * 66 + 2, 3 * (66 + 12) + 2);
            assert_eq!(
                (sample.width(), sample.height()),
                size,
                "{kind}: six pictures of each of three captions, decoded"
            );
        }
    }
}

#[test]
fn rewards_judge_decoded_pictures() {
    for family in [Family::Sd15, Family::Sdxl] {
        let tiny = Tiny::of_digits(family);
        let (model, data) = latents(&tiny, digits());
        let student = tempfile::tempdir().unwrap();
        crate::stable_diffusion::write_lora(&tiny, &student.path().join("lora.safetensors"));
        let work = reward_finetune(json!({"steps": 2}))
            .input("teacher", model.path())
            .input("data", &data.job.output)
            .input("student", student.path())
            .input("rewards.0.model", clip());
        let losses = work.run().succeeded().losses();
        assert!(losses.iter().all(|terms| terms["reward.0"].is_finite()), "{losses:?}");
        assert!(lora_norm(&work.files()) > 1000, "{family:?}");
    }
}

#[test]
fn a_training_on_latents_goes_on_where_it_was() {
    let (model, data) = latents(&Tiny::new(Family::Sdxl), dataset());
    let work = || {
        segment_distill(json!({"steps": 8, "batch": 2}))
            .input("teacher", model.path())
            .input("data", &data.job.output)
            .with(|job| job.checkpoint_seconds = 0.0)
    };
    let (whole, broken) = (work(), work());
    let files = whole.artifact();
    let mut worker = broken.start();
    worker.until_step(3);
    worker.signal(Signal::KILL);
    assert!(broken.run().succeeded().resumed() >= Some(2));
    assert_same("the artifacts", &broken.files(), &files);
}

fn distilled_on(model: &Path, data: &Path) -> Work {
    segment_distill(json!({"steps": 1, "batch": 2})).input("teacher", model).input("data", data)
}

/// Changes one tensor of a weight file a little.
fn change(path: &Path) {
    let mut weights = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    let (key, tensor) = weights.pop_last().unwrap();
    weights.insert(key, tensor + 1e-3);
    write_tensors(path, &weights, None).unwrap();
}

#[test]
fn latents_of_other_encoders_are_refused() {
    let (model, data) = latents(&Tiny::new(Family::Sdxl), dataset());
    let changed = |files: &[&str]| {
        let model = copy(model.path());
        files.iter().for_each(|file| change(&model.path().join(file)));
        model
    };
    let (vae, text) = ("vae/diffusion_pytorch_model.safetensors", "text_encoder_2/model.safetensors");
    let refused = |model: &TempDir| distilled_on(model.path(), &data.job.output).failure();
    assert_snapshot!(refused(&changed(&[vae])), @"the latents are of another VAE than the teacher's; encode them by the teacher: `EncodeLatents(model: …)`");
    assert_snapshot!(refused(&changed(&[text])), @"the latents are of other text encoders than the teacher's; encode them by the teacher: `EncodeLatents(model: …)`");
    assert_snapshot!(refused(&changed(&[vae, text])), @"the latents are of another VAE and other text encoders than the teacher's; encode them by the teacher: `EncodeLatents(model: …)`");
    let scaled = changed(&[]);
    edit(&scaled.path().join("vae/config.json"), |config| config["scaling_factor"] = json!(0.2));
    assert!(refused(&scaled).contains("another VAE"));
    let zeros = changed(&[]);
    edit(&zeros.path().join("model_index.json"), |index| index["force_zeros_for_empty_prompt"] = json!(false));
    assert!(refused(&zeros).contains("other text encoders"));
    let padded = changed(&[]);
    edit(&padded.path().join("tokenizer/tokenizer_config.json"), |config| config["pad_token"] = json!("!"));
    assert!(refused(&padded).contains("other text encoders"));
    // A model that was trained further has the same encoders, whatever its files say of who wrote them.
    let tuned = changed(&["unet/diffusion_pytorch_model.safetensors"]);
    edit(&tuned.path().join("vae/config.json"), |config| config["_diffusers_version"] = json!("0.1.0"));
    distilled_on(tuned.path(), &data.job.output).artifact();
}

#[test]
fn latents_that_do_not_fit_the_model() {
    let (model, data) = latents(&Tiny::of_digits(Family::Sd15), digits());
    assert_snapshot!(distilled_on(teacher(), &data.job.output).failure(), @"the model draws pixels, and the data are latents; give it the dataset itself");
    // Smaller pictures than the model was trained on are learned from, and that is said.
    let (_folder, small) = pictures(32);
    let (large, data) = latents(&Tiny::new(Family::Sd15), &small);
    let ended = distilled_on(large.path(), &data.job.output).run();
    assert_eq!(
        ended.succeeded().messages(Level::Warning),
        ["the model was trained on pictures of 64 pixels, and the latents are of 32"]
    );
    drop(model);
}

#[test]
fn latents_that_are_damaged() {
    let (model, data) = latents(&Tiny::new(Family::Sdxl), dataset());
    let failure = |damage: &dyn Fn(&Path)| {
        let data = copy(&data.job.output);
        damage(data.path());
        distilled_on(model.path(), data.path()).failure()
    };
    let cut = |name: &'static str| {
        move |folder: &Path| {
            let bytes = fs::read(folder.join(name)).unwrap();
            fs::write(folder.join(name), &bytes[..bytes.len() - 9]).unwrap();
        }
    };
    for name in ["train.safetensors", "text.safetensors", "pooled.safetensors", "empty.safetensors"] {
        let message = failure(&cut(name));
        assert!(
            message.starts_with(&format!("<data>/{name}: ")) && message.ends_with("truncated or damaged"),
            "{message}"
        );
    }
    assert_snapshot!(failure(&cut("latents.json")), @"<data>/latents.json: EOF while parsing a string at line 5 column 76");
    assert_snapshot!(failure(&|folder| fs::remove_file(folder.join("text.safetensors")).unwrap()), @"read <data>/text.safetensors: No such file or directory (os error 2)");
    assert_snapshot!(failure(&|folder| fs::write(folder.join("captions.jsonl"), "{\"text\": \"a red fox\"}\n").unwrap()), @"<data>/text.safetensors: 3 rows and 1 captions");
    let others = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n";
    assert_snapshot!(failure(&|folder| fs::write(folder.join("captions.jsonl"), others).unwrap()), @"<data>/captions.jsonl: the caption `the red sea` is not in it");
    assert_snapshot!(failure(&|folder| fs::copy(folder.join("pooled.safetensors"), folder.join("text.safetensors")).map(drop).unwrap()), @"<data>/text.safetensors: has no `text` of 3 dimensions in floats");
}
