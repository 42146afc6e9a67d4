//! Where what was computed is not what is pinned.
//!
//! Tolerances are the differences that were measured between CPUs of three instruction sets (tests/spread.py makes the table),
//! times ten or more. What rounding alone decides is not pinned at all: see `FREE` of the description.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::spread;

/// Of a number, relative to it. Seen: 1.3e-5, of how far three steps of a training have moved along their gradients.
const TOLERANCE: f64 = 1e-4;
/// Of what `Eval` measures, relative to the largest of its column: differences, intervals, and what is nearly 0 are computed
/// of numbers as large as that. Seen: 4e-7.
const OF_COLUMN: f64 = 1e-5;
/// Columns that count pictures, each in or out of something.
const COUNTS: [&str; 4] = ["accuracy", "coverage", "precision", "recall"];
/// How many there are: what was drawn, what was trained on, what was held out.
const PICTURES: [f64; 3] = [200.0, 1437.0, 360.0];
/// Resamples that a p is counted of, with the sample itself.
const RESAMPLES: f64 = 101.0;

/// Where two trees differ.
pub(super) fn differences(pinned: &Value, computed: &Value) -> Vec<String> {
    let columns = columns(&pinned["files"]["metrics.json"]);
    let mut comparison = Comparison { pinned, columns, found: Vec::new() };
    comparison.compare(&mut Vec::new(), pinned, computed);
    comparison.found
}

/// The largest number of each column of what `Eval` measured.
fn columns(measured: &Value) -> BTreeMap<&str, f64> {
    let mut columns = BTreeMap::new();
    let rows = measured["rows"].as_array().into_iter().flatten().filter_map(Value::as_object);
    for (name, value) in rows.flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?.abs()))) {
        let largest = columns.entry(name).or_insert(value);
        *largest = value.max(*largest);
    }
    columns
}

struct Comparison<'a> {
    pinned: &'a Value,
    columns: BTreeMap<&'a str, f64>,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn compare(&mut self, place: &mut Vec<String>, pinned: &Value, computed: &Value) {
        match (pinned, computed) {
            (Value::Object(a), Value::Object(b)) => {
                for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                    self.compare_at(place, key.clone(), &pinned[key], &computed[key]);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    self.compare_at(place, i.to_string(), a, b);
                }
            }
            (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
                let (x, y) = (a.as_f64().unwrap(), b.as_f64().unwrap());
                if !self.is_near(place, x, y) {
                    self.found.push(format!("{}: {x} became {y}", place.join("/")));
                }
            }
            // Whole numbers too: they are counted or given.
            _ if pinned == computed => {}
            _ => self.found.push(format!("{}: {pinned} became {computed}", place.join("/"))),
        }
    }

    fn compare_at(&mut self, place: &mut Vec<String>, key: String, pinned: &Value, computed: &Value) {
        place.push(key);
        self.compare(place, pinned, computed);
        place.pop();
    }

    fn is_near(&self, place: &[String], x: f64, y: f64) -> bool {
        let parts: Vec<_> = place.iter().map(String::as_str).collect();
        let (scale, tolerance) = match parts[..] {
            ["files", "metrics.json", "comparisons", _, "p"] => return is_count(x - y, RESAMPLES, 2.0),
            ["files", "metrics.json", "rows", _, name] if COUNTS.contains(&name) => {
                return PICTURES.iter().any(|&of| is_count(x - y, of, 1.0));
            }
            ["files", "metrics.json", "rows", _, name] => (self.columns[name], OF_COLUMN),
            ["files", "metrics.json", "rows", _, "intervals", name, _] => self.of_column(name),
            ["files", "metrics.json", "comparisons", i, "difference" | "interval", ..] => {
                let compared = &self.pinned["files"]["metrics.json"]["comparisons"][i.parse::<usize>().unwrap()];
                self.of_column(compared["number"].as_str().unwrap())
            }
            // A product of a tensor, relative to its norm.
            ["files", file, key, "1"] if file.ends_with(".safetensors") => {
                (number(&self.pinned["files"][file][key][0]), TOLERANCE)
            }
            // Of the longest gradient there is, and of the largest product with one: most of the others are nearly 0.
            ["moved", _, i] => (self.largest_moved(i.parse().unwrap()), TOLERANCE),
            _ => (x.abs().max(y.abs()), TOLERANCE),
        };
        let difference = if x == y { 0.0 } else { (x - y).abs() / scale };
        spread::note(&place.join("/"), difference, tolerance);
        difference <= tolerance
    }

    fn largest_moved(&self, column: usize) -> f64 {
        let rows = self.pinned["moved"].as_object().into_iter().flatten();
        rows.map(|(_, row)| number(&row[column]).abs()).fold(0.0, f64::max)
    }

    /// A picture more or less moves an interval by as much as a mean, though not by a whole number of pictures.
    fn of_column(&self, name: &str) -> (f64, f64) {
        if COUNTS.contains(&name) { (1.0, 1.0 / PICTURES[0]) } else { (self.columns[name], OF_COLUMN) }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Whether a difference of shares of a number is that of a few.
fn is_count(difference: f64, of: f64, most: f64) -> bool {
    let count = difference.abs() * of;
    count < most + 0.5 && (count - count.round()).abs() < 1e-6
}

#[test]
fn numbers_may_differ_by_what_they_are_computed_of() {
    let metrics = |clip: f64, recall: f64, difference: f64, p: f64| {
        let interval = [difference - 0.1, difference + 0.1];
        let row = serde_json::json!({"steps": 1, "clip_score": clip, "recall": recall});
        let comparison =
            serde_json::json!({"number": "clip_score", "difference": difference, "interval": interval, "p": p});
        serde_json::json!({"files": {"metrics.json": {"rows": [row], "comparisons": [comparison]}}, "loss": 0.5})
    };
    let pinned = metrics(30.0, 0.5, 0.01, 0.3);
    let found = |clip, recall, difference, p| differences(&pinned, &metrics(clip, recall, difference, p)).len();
    assert_eq!(found(30.0002, 0.5 + 1.0 / 1437.0, 0.0102, 0.3 + 2.0 / 101.0), 0);
    assert_eq!(found(30.0004, 0.5, 0.01, 0.3), 1);
    assert_eq!(found(30.0, 0.5001, 0.01, 0.3), 1, "not a picture");
    assert_eq!(found(30.0, 0.51, 0.01, 0.3), 1, "two pictures");
    assert_eq!(found(30.0, 0.5, 0.0104, 0.3), 3, "the difference and its interval");
    assert_eq!(found(30.0, 0.5, 0.01, 0.305), 1);
    let other = |change: fn(&mut Value)| {
        let mut computed = pinned.clone();
        change(&mut computed);
        differences(&pinned, &computed)
    };
    assert!(other(|x| x["loss"] = 0.50004.into()).is_empty());
    assert_eq!(other(|x| x["loss"] = 0.5001.into()), ["loss: 0.5 became 0.5001"]);
    assert_eq!(other(|x| x["files"]["metrics.json"]["rows"][0]["steps"] = 2.into()).len(), 1);
    assert_eq!(other(|x| drop(x.as_object_mut().unwrap().remove("loss"))).len(), 1);
}
