//! `Sample` and `Eval`: what they draw and what they measure.

use std::collections::BTreeSet;
use std::fs;

use hyper_flow_spec::metrics::{FIELDS, Metrics, NUMBERS, REAL, Row, TEACHER, Verdict, lower_is_better};
use hyper_flow_spec::{Event, Kind};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{digits, eval, sample, tscd};
use crate::lab::{Files, Work};

fn metrics(files: &Files) -> Metrics {
    serde_json::from_slice(&files["metrics.json"]).unwrap()
}

fn rows(files: &Files) -> Vec<Row> {
    metrics(files).rows
}

fn names() -> impl Iterator<Item = &'static str> {
    NUMBERS.iter().map(|number| number.name)
}

#[test]
fn loras_may_be_guided_too() {
    let measured = |scale: f64| rows(&eval(json!({"lora_guidance": scale})).artifact());
    let (alone, guided) = (measured(1.0), measured(3.0));
    for (alone, guided) in alone.iter().zip(&guided) {
        let is_lora = alone.candidate != TEACHER && alone.candidate != REAL;
        assert_eq!(alone.number("frechet") != guided.number("frechet"), is_lora, "{alone:?} {guided:?}");
    }
}

#[test]
fn every_candidate_is_measured_at_every_step_count_beside_the_teacher() {
    let work = eval(json!({}));
    let files = work.artifact();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["grid.png", "metrics.json", "table.txt"]);
    let metrics = metrics(&files);
    assert_eq!((metrics.samples, metrics.resamples, metrics.comparisons.len()), (40, 1000, 0));
    let who: Vec<_> = metrics.rows.iter().map(|row| (row.candidate.as_str(), row.steps)).collect();
    let teacher = [1, 2, 4].map(|steps| (TEACHER, Some(steps)));
    let loras = ["merged", "tscd"].map(|name| [1, 2].map(|steps| (name, Some(steps)))).concat();
    assert_eq!(who, [vec![(REAL, None)], teacher.to_vec(), loras].concat());
    let raw: Value = serde_json::from_slice(&files["metrics.json"]).unwrap();
    let fields: BTreeSet<_> = FIELDS.into_iter().chain(names()).collect();
    for (row, raw) in metrics.rows.iter().zip(raw["rows"].as_array().unwrap()) {
        assert_eq!(raw.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), fields);
        // Real pictures have no noise, and the reference's distance to itself says nothing.
        let on_trajectory = row.candidate != REAL && row.steps != Some(4);
        for number in NUMBERS {
            let meaningful = number.name != "trajectory_mse" || on_trajectory;
            assert_eq!(row.number(number.name).is_some(), meaningful, "{number:?} of {row:?}");
            assert_eq!(row.intervals.contains_key(number.name), meaningful, "{number:?} of {row:?}");
        }
        for (name, [low, high]) in &row.intervals {
            let value = row.number(name).unwrap();
            assert!(*low <= value && value <= *high, "{name} of {row:?}");
        }
        for share in ["precision", "recall", "coverage", "accuracy"] {
            let [low, high] = row.intervals[share];
            assert!(low >= 0.0 && high <= 1.0, "{share} of {row:?}");
        }
    }
    let floor = metrics.rows[0].number("frechet").unwrap();
    let others = || metrics.rows[1..].iter();
    assert!(others().all(|row| row.number("frechet").unwrap() > floor), "real pictures are closest to real");
    assert!(others().all(|row| row.intervals["frechet"][0] < row.intervals["frechet"][1]));
}

#[test]
fn fewer_pictures_leave_a_number_less_sure() {
    let width = |samples: i64| {
        let files = eval(json!({"samples": samples, "loras": {}, "steps": [1]})).artifact();
        let [low, high] = rows(&files)[1].intervals["clip_score"];
        high - low
    };
    // As the root of how many there are.
    let ratio = width(50) / width(800);
    assert!((2.5..6.5).contains(&ratio), "{ratio}");
}

#[test]
fn candidates_are_compared_on_the_same_noise() {
    let changes = json!({
        "loras": {"tscd": "loras.tscd", "twin": "loras.tscd"}, "compare": [["tscd", "twin"], ["tscd", "teacher"]],
    });
    let metrics = metrics(&eval(changes).artifact());
    let (twins, others): (Vec<_>, Vec<_>) = metrics.comparisons.iter().partition(|c| c.against == "twin");
    assert_eq!((twins.len(), others.len()), (2 * NUMBERS.len(), 2 * NUMBERS.len()));
    for twin in twins {
        assert_eq!((twin.difference, twin.interval, twin.p), (0.0, [0.0, 0.0], 1.0));
        assert_eq!(twin.verdict, Verdict::Undecided);
    }
    for c in others {
        let number = |who: &str| metrics.row(who, Some(c.steps)).unwrap().number(&c.number).unwrap();
        assert!((number("tscd") - number(TEACHER) - c.difference).abs() < 1e-9, "{c:?}");
        assert!(c.interval[0] <= c.difference && c.difference <= c.interval[1], "{c:?}");
        // An interval that leaves 0 out is what significance means; the two can differ at the edge alone.
        let excludes = c.interval[0] > 0.0 || c.interval[1] < 0.0;
        assert!(excludes == (c.p < 0.05) || (0.01..0.1).contains(&c.p), "{c:?}");
        let better = (c.difference < 0.0) == lower_is_better(&c.number);
        let verdict = if better { Verdict::Better } else { Verdict::Worse };
        assert_eq!(c.verdict, if c.p < 0.05 { verdict } else { Verdict::Undecided }, "{c:?}");
    }
    // Noise in common makes a difference surer than its parts, or it would not be a paired comparison.
    let row = metrics.row("tscd", Some(2)).unwrap();
    let c =
        metrics.comparisons.iter().find(|c| c.against == TEACHER && c.steps == 2 && c.number == "clip_score").unwrap();
    assert!(c.interval[1] - c.interval[0] < row.intervals["clip_score"][1] - row.intervals["clip_score"][0]);
}

#[test]
fn without_a_reward_its_column_is_null() {
    let rows = rows(&eval(json!({"reward": null, "loras": {}, "steps": [1]})).artifact());
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.number("reward").is_none() && row.number("clip_score").is_some()));
}

#[test]
fn the_table_and_the_picture_are_shown() {
    let work = eval(json!({}));
    let ended = work.run();
    let shown: Vec<_> = ended
        .succeeded()
        .events
        .iter()
        .filter_map(|event| if let Event::Show { path } = event { Some(path.display().to_string()) } else { None })
        .collect();
    assert_eq!(shown, ["table.txt", "grid.png"]);
    let table = fs::read_to_string(work.job.output.join("table.txt")).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("candidate") && lines[0].ends_with("trajectory"));
    let (wholes, halves): (Vec<&str>, Vec<&str>) =
        lines[..lines.len() - 2].iter().copied().partition(|line| !line.contains('±'));
    assert_eq!(wholes.iter().filter(|line| line.contains('.')).count(), 8, "{table}");
    assert_eq!(halves.len(), 8, "{table}");
    let numbered = wholes.iter().filter(|line| line.contains("  "));
    let widths: BTreeSet<_> = numbered.map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 1, "the columns are aligned:\n{table}");
    let grid = image::open(work.job.output.join("grid.png")).unwrap().to_rgb8();
    assert!(grid.height() > 7 * 64 && grid.width() > 10 * 64, "{}x{}", grid.width(), grid.height());
}

#[test]
fn a_candidate_is_the_lora_and_not_the_base() {
    let rows = rows(&eval(json!({"loras": {"tscd": "loras.tscd"}, "steps": [4], "guidance": 1.0})).artifact());
    let [_, teacher, lora] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(teacher.number("trajectory_mse"), None);
    assert!(lora.number("trajectory_mse").unwrap() > 0.0);
}

/// The digits, with captions of their own for what is held out.
fn unseen() -> TempDir {
    let data = copy(digits());
    let path = data.path().join("held_out.jsonl");
    let captions = fs::read_to_string(&path).unwrap().replace("handwritten", "strange");
    fs::write(path, captions).unwrap();
    data
}

#[test]
fn captions_are_those_of_the_half_that_is_asked_for() {
    let data = unseen();
    let half = |split: &str| eval(json!({"split": split, "loras": {}, "steps": [1]})).input("data", data.path());
    half("Train").artifact();
    let message = half("HeldOut").failure();
    assert!(message.starts_with("the judge has no class `a strange digit "), "{message}");
    // Without a judge captions need not be classes.
    let distance =
        |split: &str| rows(&half(split).with(|job| take_judge(&mut job.kind)).artifact())[1].number("frechet");
    assert_ne!(distance("Train"), distance("HeldOut"));
}

fn take_judge(kind: &mut Kind) {
    if let Kind::Eval(params) = kind {
        params.judge = None;
    }
}

#[test]
fn what_does_not_train_stops_too_when_asked() {
    let work = eval(json!({"samples": 4000, "steps": [8]}));
    let mut worker = work.start();
    worker.until(|event| matches!(event, Event::Started { .. }));
    let ended = worker.signal(Signal::TERM);
    assert_eq!(ended.status.code(), Some(143), "{ended:#?}");
    assert_eq!(ended.interrupted(), Some(0));
    assert!(work.files().is_empty());
}

fn drawn(changes: Value) -> Files {
    sample(changes).artifact()
}

#[test]
fn every_caption_is_drawn_as_often_as_asked() {
    let files = drawn(json!({}));
    let names = ["0000.png", "0001.png", "0002.png", "0003.png", "grid.png", "metadata.jsonl"];
    assert_eq!(files.keys().collect::<Vec<_>>(), names);
    let lines: Vec<Value> = String::from_utf8(files["metadata.jsonl"].clone())
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let captions = ["a handwritten digit seven", "a handwritten digit one"];
    let expected = |i: usize| json!({"file_name": names[i], "text": captions.get(i / 2)});
    assert_eq!(lines, (0..4).map(expected).collect::<Vec<_>>());
    assert!((0..3).all(|i| files[names[i]] != files[names[i + 1]]));
}

#[test]
fn a_picture_depends_on_its_own_caption_and_number_alone() {
    let all = drawn(json!({}));
    let fewer = drawn(json!({"prompts": ["a handwritten digit seven"], "count": 1}));
    assert_eq!(fewer["0000.png"], all["0000.png"]);
    for changed in [
        drawn(json!({"steps": 3})),
        drawn(json!({"guidance": 3.0})),
        drawn(json!({"sampler": {"Tcd": 1.0}})),
        drawn(json!({"prompts": ["a handwritten digit one"]})),
        sample(json!({})).with(|job| job.seed = 8).artifact(),
        sample(json!({"lora": "lora"})).input("lora", tscd()).artifact(),
    ] {
        assert_ne!(changed["0000.png"], all["0000.png"]);
    }
}

#[test]
fn pictures_are_a_folder_that_image_folder_reads() {
    let pictures = sample(json!({}));
    pictures.artifact();
    let again = Work::new("ImageFolder", json!({"folder": "folder", "size": 8, "channels": 1, "held_out": 0.5}))
        .file("folder", &pictures.job.output);
    assert_eq!(again.artifact().len(), 4);
}
