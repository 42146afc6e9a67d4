//! Repeated measurements against what tests/parity/repeats.py computed by scipy.

use crate::support::fixtures;
use hyper_flow_diffusion::metrics::Repeats;
use serde_json::Value;
use std::collections::BTreeMap;

/// Relative; float64 on both sides.
const TOLERANCE: f64 = 1e-10;

#[test]
fn intervals_and_tests_are_those_of_scipy() {
    let text = std::fs::read_to_string(fixtures().join("repeats.json")).unwrap();
    let cases: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 5);
    for (name, case) in &cases {
        let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
        let ours = Repeats::of(&values).unwrap();
        let near = |field: &str, ours: f64| {
            let theirs = case[field].as_f64().unwrap();
            assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs(), "{name} {field}: {ours:e} against {theirs:e}");
        };
        near("mean", ours.mean);
        near("deviation", ours.deviation.unwrap());
        near("margin", ours.margin(0.95).unwrap());
        near("p", ours.p().unwrap());
    }
}

#[test]
fn one_value_has_no_spread_and_none_no_mean() {
    let one = Repeats::of(&[2.0]).unwrap();
    assert_eq!((one.n, one.mean, one.deviation, one.margin(0.95), one.p()), (1, 2.0, None, None, None));
    assert_eq!(Repeats::of(&[]), None);
}

#[test]
fn values_without_spread_are_certain() {
    let equal = Repeats::of(&[2.0, 2.0, 2.0]).unwrap();
    assert_eq!((equal.margin(0.95), equal.p()), (Some(0.0), Some(0.0)));
    assert_eq!(Repeats::of(&[0.0, 0.0]).unwrap().p(), Some(1.0));
}
