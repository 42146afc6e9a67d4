//! What is written is what torch writes, and is whole as far as it goes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Key, Store};
use hyper_flow_spec::{Event as Said, Kind};
use prost::Message;
use serde_json::json;

use super::proto::{Event, Histogram, HparamsData, Image, Is, Plain, START, SessionLog, Value, What};
use super::record::{framed, read};
use super::{Curve, Source};

/// Of torch 2.11 and tensorboard 2.20: tests/tensorboard/by_torch.py.
const BY_TORCH: &[u8] = include_bytes!("../../tests/tensorboard/by_torch.tfevents");

fn events(file: &[u8]) -> Vec<Event> {
    read(file).0.iter().map(|record| Event::decode(record.as_slice()).unwrap()).collect()
}

fn value(event: &Event) -> Option<&Value> {
    match &event.what {
        Some(What::Summary(summary)) => summary.value.first(),
        _ => None,
    }
}

#[test]
fn what_torch_wrote_is_written_to_the_byte() {
    let (records, torn) = read(BY_TORCH);
    assert!(!torn);
    let events = events(BY_TORCH);
    // The first one also says which program wrote it.
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
    for (event, record) in events.iter().zip(&records).skip(1) {
        assert_eq!(event.encode_to_vec(), *record, "{event:?}");
    }
    let again: Vec<u8> = records.iter().flat_map(|record| framed(record)).collect();
    assert_eq!(again, BY_TORCH);
}

#[test]
fn what_torch_wrote_has_the_meaning_that_is_given_to_it() {
    let events = events(BY_TORCH);
    assert_eq!((events[1].step, &events[1].what), (31, &Some(What::SessionLog(SessionLog { status: START }))));
    let found: Vec<(&str, Option<&Is>)> =
        events.iter().filter_map(value).map(|value| (value.tag.as_str(), value.is.as_ref())).collect();
    let histogram = Histogram {
        min: 0.5,
        max: 2.5,
        num: 3.0,
        sum: 4.5,
        sum_squares: 7.75,
        bucket_limit: vec![1.5, 2.5],
        bucket: vec![2.0, 1.0],
    };
    assert_eq!(found[0], ("loss/mse", Some(&Is::Scalar(0.25))));
    assert_eq!(found[1], ("lora/norms", Some(&Is::Histogram(histogram))));
    let Some(Is::Image(Image { height: 2, width: 3, colorspace: 3, encoded })) = found[2].1 else {
        panic!("{found:?}")
    };
    assert!(encoded.starts_with(b"\x89PNG"));
    assert_eq!(found[3..], [("_hparams_/session_start_info", None); 2]);
    let parameters = |event: &Event| {
        let plugin = value(event)?.metadata.clone()?.plugin_data?;
        let info = HparamsData::decode(plugin.content.as_slice()).unwrap().session_start_info?;
        Some(info.hparams.into_iter().map(|(name, is)| (name, is.is)).collect::<Vec<_>>())
    };
    let found: Vec<_> = events.iter().filter_map(parameters).flatten().collect();
    let text = Plain::Text("SegmentDistill".to_owned());
    assert_eq!(found, [("lr".to_owned(), Some(Plain::Number(0.5))), ("kind".to_owned(), Some(text))]);
}

/// A store with one run.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Lab {
        Lab(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn curve(&self, kind: &str, params: serde_json::Value) -> Curve {
        Curve::new(Source {
            run: &self.path("20261130-000000-000-00aa"),
            pipeline: "cats",
            node: "tscd",
            kind: &Kind::from_json(kind, params).unwrap(),
            seed: 7,
            samples: self.path("samples"),
            out: self.path("out"),
        })
    }

    fn training(&self) -> Curve {
        self.curve("TrainJudge", json!({"data": "data", "steps": 3}))
    }

    /// The files in a folder of the run, in their order.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("20261130-000000-000-00aa").join(folder)).into_iter().flatten();
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
        files.sort();
        files
    }
}

fn step(step: u64, of: u64, loss: f64) -> Said {
    let one = |name: &str, number| BTreeMap::from([(name.to_owned(), number)]);
    let (losses, lr, grad_norm) = (one("mse", loss), one("model", 0.1), one("model", 2.0));
    Said::Step { step, of, losses, speed: Some(8.0), lr, grad_norm, memory: None }
}

/// The steps and numbers of a tag.
fn scalars(file: &Path, tag: &str) -> Vec<(i64, f32)> {
    let mut found = Vec::new();
    for event in events(&fs::read(file).unwrap()) {
        let Some(What::Summary(summary)) = event.what else { continue };
        let numbers = summary.value.into_iter().filter(|value| value.tag == tag).filter_map(|value| match value.is {
            Some(Is::Scalar(number)) => Some((event.step, number)),
            _ => None,
        });
        found.extend(numbers);
    }
    found
}

#[test]
fn a_file_begins_with_the_mark_of_a_session_and_is_whole_as_far_as_it_goes() {
    let lab = Lab::new();
    let mut curve = lab.training();
    assert!(lab.files("cats/tscd").is_empty(), "there is none before something is told");
    (1..=3).for_each(|number| curve.take(&step(number, 3, number as f64)));
    let [file] = lab.files("cats/tscd").try_into().unwrap();
    let bytes = fs::read(&file).unwrap();
    let all = events(&bytes);
    let began = |event: &Event| matches!(event.what, Some(What::SessionLog(SessionLog { status: START })));
    assert!(matches!(all[0].what, Some(What::FileVersion(_))) && began(&all[1]) && all[1].step == 0);
    assert_eq!(scalars(&file, "loss/mse"), [(1, 1.0), (2, 2.0), (3, 3.0)]);
    assert_eq!(scalars(&file, "train/lr"), [(1, 0.1), (2, 0.1), (3, 0.1)]);
    for end in 0..bytes.len() {
        let (found, torn) = read(&bytes[..end]);
        let whole: usize = found.iter().map(|record| record.len() + 16).sum();
        assert!(found.len() < all.len() && torn == (whole < end), "cut off after {end} bytes");
    }
    let mut spoiled = bytes.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    assert_eq!(read(&spoiled).0.len(), all.len() - 1, "a sum that is wrong");
}

#[test]
fn what_is_told_anew_is_taken_from_older_files() {
    let lab = Lab::new();
    let store = Store::open(&lab.path("store")).unwrap();
    let lives = [(None, 1..=5), (Some(3), 4..=6), (Some(1), 2..=2), (None, 1..=3)];
    let left: Vec<Vec<Vec<i64>>> = lives
        .into_iter()
        .map(|(resumed, steps)| {
            let mut curve = lab.training();
            if let Some(step) = resumed {
                curve.goes_on(&store, &Key::derive(b"a"), step);
            }
            steps.for_each(|number| curve.take(&step(number, 6, 1.0)));
            let steps = |file: &PathBuf| scalars(file, "loss/mse").iter().map(|(step, _)| *step).collect();
            lab.files("cats/tscd").iter().map(steps).collect()
        })
        .collect();
    let expected: [&[&[i64]]; 4] = [&[&[1, 2, 3, 4, 5]], &[&[1, 2, 3], &[4, 5, 6]], &[&[1], &[], &[2]], &[&[1, 2, 3]]];
    assert_eq!(left, expected);
}

#[test]
fn of_a_long_training_ten_thousand_steps_are_told() {
    let lab = Lab::new();
    let mut curve = lab.training();
    (1..=25_000).for_each(|number| curve.take(&step(number, 25_000, 1.0)));
    let steps: Vec<i64> = scalars(&lab.files("cats/tscd")[0], "loss/mse").iter().map(|(step, _)| *step).collect();
    assert_eq!((&steps[..4], steps.len(), steps.last()), (&[1, 3, 6, 9][..], 8335, Some(&25_000)));
}

#[test]
fn only_pictures_where_they_belong_are_copied() {
    let lab = Lab::new();
    let mut curve = lab.training();
    let mut picture = value_of_picture();
    fs::create_dir_all(lab.path("samples")).unwrap();
    fs::write(lab.path("samples/step-000001.png"), &picture).unwrap();
    fs::write(lab.path("outside.png"), &picture).unwrap();
    picture.truncate(20);
    fs::write(lab.path("samples/step-000002.png"), &picture).unwrap();
    for path in ["step-000002.png", "../outside.png", "none.png", ".", "step-000001.png"] {
        curve.take(&Said::Sample { step: 1, path: path.into() });
    }
    curve.take(&Said::Show { path: "../outside.png".into() });
    let pictures = events(&fs::read(&lab.files("cats/tscd")[0]).unwrap());
    let pictures: Vec<&str> =
        pictures.iter().filter_map(value).filter(|value| value.is.is_some()).map(|value| value.tag.as_str()).collect();
    assert_eq!(pictures, ["samples"]);
}

fn value_of_picture() -> Vec<u8> {
    let found = events(BY_TORCH).iter().filter_map(value).find_map(|value| match &value.is {
        Some(Is::Image(image)) => Some(image.encoded.clone()),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn candidates_of_an_eval_have_curves_over_their_step_counts() {
    let lab = Lab::new();
    let rows = json!([
        {"candidate": "tscd", "steps": 4, "frechet": 5.0, "reward": null},
        {"candidate": "tscd", "steps": 1, "frechet": 9.0},
        {"candidate": "real, held out", "steps": null, "frechet": 0.5},
    ]);
    fs::create_dir_all(lab.path("out")).unwrap();
    fs::write(lab.path("out/metrics.json"), json!({"rows": rows}).to_string()).unwrap();
    lab.training().end();
    assert_eq!(scalars(&lab.files("cats/tscd/tscd")[0], "eval/frechet"), [(1, 9.0), (4, 5.0)]);
    assert_eq!(scalars(&lab.files("cats/tscd/tscd")[0], "eval/reward"), []);
    assert!(lab.files("cats/tscd").is_empty());
}

#[test]
fn what_cannot_be_written_is_let_go() {
    let lab = Lab::new();
    let run = lab.path("20261130-000000-000-00aa");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("cats"), "in the way").unwrap();
    let mut curve = lab.training();
    curve.take(&step(1, 3, 1.0));
    fs::remove_file(run.join("cats")).unwrap();
    curve.take(&step(2, 3, 2.0));
    assert_eq!(scalars(&lab.files("cats/tscd")[0], "loss/mse"), [(2, 2.0)]);
}
