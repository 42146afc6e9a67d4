//! `pipelines/hyper-sd15.ron` and `hyper-sdxl.ron` from end to end, engine and worker together, on tiny random models of the
//! same structure: the files as they ship, with other values from the command line and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::tiny_models::{CAPTIONS, Family, Tiny};
use crate::tiny_scores::{Published, vocab};

/// What a params file replaces: the numbers, but for the files.
const SMALL: &str = r#"
    "size": 64, "batch": 2, "accumulate": 2, "rank": 2, "warmup": 1, "stage-steps": 2, "feedback-steps": 1,
    "feedback-batch": 2, "watched": 2, "score-steps": 1, "segmenter-steps": 2, "min-iou": 0.0, "grid": 8,
    "precision": Fp32, "samples": 6,
"#;

/// A user's files.
struct Desk {
    folder: TempDir,
    scores: Published,
}

impl Desk {
    fn new(family: Family) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), scores: Published::new() };
        Tiny::new(family).write(&desk.at("model"));
        desk.write_pictures();
        for part in ["clip", "clip-tokenizer"] {
            copy_files(&desk.scores.at(part), &desk.at("clip"));
        }
        fs::write(desk.at("mine.ron"), desk.params()).unwrap();
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Twelve pictures of three colours that fade, each with a caption, and the same with a square cut out.
    fn write_pictures(&self) {
        fs::create_dir(self.at("pictures")).unwrap();
        fs::create_dir(self.at("cutouts")).unwrap();
        for i in 0..12_usize {
            let shade = |x: u32, y: u32, c: usize| (if c == i % 3 { 3 * x } else { y + 7 * i as u32 }) as u8;
            let picture = RgbImage::from_fn(70, 66, |x, y| Rgb([0, 1, 2].map(|c| shade(x, y, c))));
            picture.save(self.at(&format!("pictures/{i}.png"))).unwrap();
            let alpha = |x: u32, y: u32| if x.max(y) < 30 + 2 * i as u32 { 255 } else { 0 };
            let cutout = RgbaImage::from_fn(70, 66, |x, y| {
                let [r, g, b] = picture.get_pixel(x, y).0;
                Rgba([r, g, b, alpha(x, y)])
            });
            cutout.save(self.at(&format!("cutouts/{i}.png"))).unwrap();
            for folder in ["pictures", "cutouts"] {
                fs::write(self.at(&format!("{folder}/{i}.txt")), CAPTIONS[i % CAPTIONS.len()]).unwrap();
            }
        }
    }

    fn params(&self) -> String {
        let scores = [
            ("aesthetic", self.scores.at("head.safetensors")),
            ("clip-b32", self.at("clip")),
            ("pictures", self.at("pictures")),
            ("cutouts", self.at("cutouts")),
        ];
        let files: String = scores.iter().map(|(name, path)| format!("{name:?}: {path:?}, ")).collect();
        format!("{{{SMALL} {files}}}")
    }

    /// Runs the pipeline and gives the summary.
    fn run(&self, pipeline: &str) -> Value {
        let out = self.engine("run", pipeline, &["--json", "--threads", "1"]);
        serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON")
    }

    /// A node's artifact, by the command that users have for it.
    fn exported(&self, pipeline: &str, node: &str) -> PathBuf {
        let target = self.at(node);
        self.engine("export", pipeline, &[node, target.to_str().unwrap()]);
        target
    }

    /// What a command says of the paper's recipe, with this desk's files in it.
    fn engine(&self, command: &str, pipeline: &str, arguments: &[&str]) -> String {
        let (clip, weights) = (self.at("clip"), self.scores.at("ImageReward.safetensors"));
        let image_reward = format!("ImageReward(weights: {weights:?}, tokenizer: {:?})", vocab());
        let set = [
            format!("clip-l14=PretrainedClip(path: {clip:?})"),
            format!("pickscore=PretrainedClip(path: {clip:?})"),
            // Nothing that was trained for two steps is any good.
            r#"gate.require=[(candidate: "unified", number: "clip_score", at_least: -1.0)]"#.to_owned(),
            format!("image-reward=ScoreModel(model: {image_reward})"),
        ];
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        self.own_model(command, pipeline, &[arguments, &set].concat())
    }

    /// What a command says of a pipeline that ships, with this desk's model and params in it.
    fn own_model(&self, command: &str, pipeline: &str, arguments: &[&str]) -> String {
        let worker = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow-worker"));
        let engine = worker.with_file_name("hyper-flow");
        assert!(engine.exists(), "no engine beside the worker: run the tests of the whole workspace (`make test`)");
        let output = Command::new(engine)
            .arg(command)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines").join(pipeline))
            .args(arguments)
            .args(["--store".as_ref(), self.at("store").as_os_str()])
            .args(["--params".as_ref(), self.at("mine.ron").as_os_str()])
            .args(["--set", &format!("base=Diffusers(path: {:?})", self.at("model"))])
            .current_dir(self.folder.path())
            .env("HYPER_FLOW_WORKER", &worker)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        out.into_owned()
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn names(summary: &Value, field: &str) -> Vec<String> {
    serde_json::from_value(summary[field].clone()).expect("names")
}

#[track_caller]
fn runs_to_the_end(family: Family, pipeline: &str) {
    let desk = Desk::new(family);
    // 22 nodes, of which three bring in the same CLIP here.
    assert_eq!(names(&desk.run(pipeline), "ran").len(), 20);
    assert!(names(&desk.run(pipeline), "ran").is_empty(), "a second run");

    let metrics = fs::read(desk.exported(pipeline, "eval").join("metrics.json")).unwrap();
    let metrics: Value = serde_json::from_slice(&metrics).unwrap();
    let rows = metrics["rows"].as_array().unwrap();
    let of_unified = rows.iter().filter(|row| row["candidate"] == "unified");
    let steps: Vec<_> = of_unified.map(|row| row["steps"].as_i64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 4, 8]);
    for column in ["clip_score", "reward", "aesthetic", "pickscore", "frechet"] {
        assert!(rows.iter().all(|row| row[column].is_number()), "{column}: {metrics}");
    }
    let files = desk.exported(pipeline, "export");
    assert!(files.join("lora.safetensors").exists() && files.join("pytorch_lora_weights.safetensors").exists());
}

#[test]
fn hyper_sd15_runs_to_the_end() {
    runs_to_the_end(Family::Sd15, "hyper-sd15.ron");
}

#[test]
fn hyper_sdxl_runs_to_the_end() {
    runs_to_the_end(Family::Sdxl, "hyper-sdxl.ron");
}

/// A style is learnt from pictures of two shapes, distilled, drawn, and taken away in one file with what is distilled of it.
#[test]
fn style_runs_to_the_end() {
    let desk = Desk::new(Family::Sd15);
    let small = r#""buckets": [(64, 64), (80, 56)], "batch": 2, "style-steps": 2, "style-rank": 2, "stage-steps": 2, "rank": 2,
        "warmup": 1, "grid": 8, "precision": Fp32, "reference-steps": 2, "drawn": (80, 56)"#;
    fs::write(desk.at("mine.ron"), format!("{{{small}, \"pictures\": {:?}}}", desk.at("pictures"))).unwrap();
    let out = desk.own_model("run", "style.ron", &["--json", "--threads", "1"]);
    let summary: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(names(&summary, "ran").len(), 13);
    for node in ["in-many-steps", "in-four-steps", "export"] {
        desk.own_model("export", "style.ron", &[node, desk.at(node).to_str().unwrap()]);
    }
    let drawn = image::open(desk.at("in-four-steps").join("0002.png")).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (80, 56));
    assert!(desk.at("export").join("pytorch_lora_weights.safetensors").exists());
}

/// Few steps of everything in `pipelines/emoji.ron`.
const FEW: &[&str] = &[
    "clip.steps=2",
    "clip-guard.steps=2",
    "clip-held-out.steps=2",
    "segmenter.steps=2",
    "segmenter.min_iou=0.0",
    "vae.steps=2",
    "vae.channels=[8, 8, 8]",
    "teacher.steps=2",
    "teacher.channels=[8, 8]",
    "tscd-8.steps=1",
    "tscd-4.steps=1",
    "tscd-2.steps=1",
    "tscd-1.steps=1",
    "tscd-1.adversarial=(warmup: 1)",
    "reward.steps=2",
    "reward.guard=(watch: \"clip-guard\", every: 1, captions: 2)",
    "unified.steps=1",
    "unified.fake_warmup=1",
    "eval.samples=8",
    "eval.reference_steps=10",
    "gate.require=[(candidate: \"unified\", number: \"clip_score\", at_least: -1.0)]",
];

/// On drawn pictures in the place of the emoji: the folder as pipelines/data/emoji.py writes it.
#[test]
fn emoji() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    let mut lines = String::new();
    for i in 0..12_u32 {
        let alpha = |x: u32, y: u32| if x.max(y) < 30 + 2 * i { 255 } else { 0 };
        let picture = RgbaImage::from_fn(64, 64, |x, y| Rgba([(20 * i) as u8, (3 * x) as u8, 90, alpha(x, y)]));
        picture.save(pictures.join(format!("{i}.png"))).unwrap();
        let split = if i % 3 == 0 { "held_out" } else { "train" };
        let line =
            serde_json::json!({"file_name": format!("{i}.png"), "text": format!("a box, tone {i}"), "split": split});
        lines += &format!("{line}\n");
    }
    fs::write(pictures.join("metadata.jsonl"), lines).unwrap();
    let worker = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow-worker"));
    let output = Command::new(worker.with_file_name("hyper-flow"))
        .args(["run".as_ref(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/emoji.ron").as_os_str()])
        .args(["--json", "--threads", "1"])
        .args(["--store".as_ref(), folder.path().join("store").as_os_str()])
        .args(["--set", &format!("emoji.folder={pictures:?}")])
        .args(FEW.iter().flat_map(|set| ["--set", set]))
        .env("HYPER_FLOW_WORKER", &worker)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let summary: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(names(&summary, "ran").len(), 17);
}
