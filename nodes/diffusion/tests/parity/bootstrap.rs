//! Intervals and significance against what tests/parity/bootstrap.py computed by numpy and scipy.

use std::collections::BTreeMap;

use crate::support::{fixtures, input};
use hyper_flow_diffusion::metrics::*;
use hyper_flow_diffusion::rng::Rng;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const CONFIDENCE: f64 = 0.95;
/// Relative; float64 on both sides.
const TOLERANCE: f64 = 1e-9;
/// The reference is a finite difference of 1e-5.
const DIFFERENCE_TOLERANCE: f64 = 1e-6;

struct Case {
    fixture: Value,
    real: Tensor,
    fake: Tensor,
}

impl Case {
    fn read() -> Self {
        let fixture: Value =
            serde_json::from_str(&std::fs::read_to_string(fixtures().join("bootstrap.json")).unwrap()).unwrap();
        let features = |side: &str| {
            let size = [fixture[side].as_i64().unwrap(), fixture["width"].as_i64().unwrap()];
            input(&format!("bootstrap.{side}"), &size).to_kind(Kind::Double)
        };
        let (real, fake) = (features("real"), features("fake") * 1.3 + 0.2);
        Self { fixture, real, fake }
    }

    /// The script's formula.
    fn resamples(&self) -> Resamples {
        let (n, count) = (self.fake.size()[0], self.fixture["resamples"].as_i64().unwrap());
        let mut counts = vec![0i64; (n * count) as usize];
        for b in 0..count {
            for j in 0..n {
                counts[(b * n + ((7 * j + 3) * (j + 5 * b + 1) + b) % n) as usize] += 1;
            }
        }
        Resamples::of(&Tensor::from_slice(&counts).reshape([count, n]))
    }

    fn real(&self) -> Real {
        Real::new(&self.real, self.fixture["neighbours"].as_i64().unwrap()).unwrap()
    }

    fn numbers(&self) -> BTreeMap<&'static str, Estimate> {
        let resamples = self.resamples();
        let groups: Vec<Vec<i64>> = serde_json::from_value(self.fixture["groups"].clone()).unwrap();
        let Manifold { precision, recall, density, coverage } = self.real().manifold(&self.fake, &resamples).unwrap();
        BTreeMap::from([
            ("mean", resamples.mean(&self.fake.select(1, 0))),
            ("frechet", self.real().frechet(&self.fake, &resamples)),
            ("diversity", diversity_within(&self.fake, &groups, &resamples).unwrap()),
            ("precision", precision),
            ("recall", recall),
            ("density", density),
            ("coverage", coverage),
        ])
    }
}

#[track_caller]
fn assert_near(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} against {theirs}");
}

#[test]
fn numbers_of_resamples_are_those_of_numpy() {
    let case = Case::read();
    let numbers = case.numbers();
    assert_eq!(numbers.len(), case.fixture["numbers"].as_object().unwrap().len());
    for (name, ours) in numbers {
        let theirs = &case.fixture["numbers"][name];
        let tolerance = if name == "frechet" { DIFFERENCE_TOLERANCE } else { TOLERANCE };
        assert_near(name, ours.value, theirs["value"].as_f64().unwrap(), tolerance);
        let interval = ours.interval(CONFIDENCE).unwrap();
        for (end, ours) in interval.into_iter().enumerate() {
            assert_near(&format!("{name} {end}"), ours, theirs["interval"][end].as_f64().unwrap(), tolerance);
        }
    }
}

#[test]
fn the_distance_of_resamples_spreads_as_if_it_were_computed_of_each() {
    let case = Case::read();
    let resamples = Resamples::draw(&[0; 40], 4000, &mut Rng::at(0, "test", 0));
    let [low, high] = case.real().frechet(&case.fake, &resamples).interval(0.6827).unwrap();
    // Of so few samples, the first order leaves out 6 % of the deviation.
    let true_deviation = case.fixture["true_frechet_deviation"].as_f64().unwrap();
    assert_near("deviation", (high - low) / 2.0 / true_deviation, 1.0, 0.12);
}

#[test]
fn an_interval_is_where_scipy_has_it() {
    let case = Case::read();
    let values = case.fake.select(1, 0);
    let resamples = Resamples::draw(&[0; 40], 20_000, &mut Rng::at(0, "test", 0));
    let ours = resamples.mean(&values).interval(CONFIDENCE).unwrap();
    let theirs = [0, 1].map(|end| case.fixture["scipy_mean_interval"][end].as_f64().unwrap());
    let width = theirs[1] - theirs[0];
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        assert_near("end", (ours - theirs) / width, 0.0, 0.02);
    }
}

#[test]
fn significance_counts_the_resamples_that_go_as_far() {
    let case = Case::read();
    let resamples = case.resamples();
    let shift = input("bootstrap.other", &[40]).to_kind(Kind::Double) * 0.1 - 0.03;
    let ours = resamples.mean(&shift);
    assert_near("p", ours.significance(), case.fixture["significance"].as_f64().unwrap(), TOLERANCE);
    // The difference of two numbers of the same resamples is the number of the differences.
    let base = case.fake.select(1, 0);
    let difference = resamples.mean(&(&base + &shift)).minus(&resamples.mean(&base));
    assert_near("paired", difference.significance(), ours.significance(), TOLERANCE);
    assert_eq!(resamples.mean(&(shift + 10.0)).significance(), 1.0 / 26.0);
    assert_eq!(resamples.mean(&base.zeros_like()).significance(), 1.0);
}

#[test]
fn what_does_not_spread_or_is_no_number_says_so() {
    let resamples = Resamples::draw(&[0; 20], 50, &mut Rng::at(0, "test", 0));
    let real = Real::new(&input("x", &[30, 3]), 3).unwrap();
    let one = resamples.mean(&Tensor::ones([20], (Kind::Float, Device::Cpu)));
    assert_eq!((one.value, one.interval(CONFIDENCE)), (1.0, Some([1.0, 1.0])));
    let broken = Tensor::full([20, 3], f64::INFINITY, (Kind::Double, Device::Cpu));
    let distance = real.frechet(&broken, &resamples);
    assert!(distance.value.is_nan() && distance.interval(CONFIDENCE).is_none());
    // A feature that never varies among the drawn: its variance has no root to differentiate.
    let flat = input("y", &[20, 3]) * Tensor::from_slice(&[1f32, 1.0, 0.0]);
    let [low, high] = real.frechet(&flat, &resamples).interval(CONFIDENCE).unwrap();
    assert!(low.is_finite() && high.is_finite() && low < high);
    assert!(diversity_within(&flat, &[], &resamples).is_none());
}

#[test]
fn every_resample_has_as_many_of_each_stratum() {
    let strata: Vec<i64> = (0..30).map(|i| i % 3).collect();
    let resamples = Resamples::draw(&strata, 200, &mut Rng::at(1, "test", 0));
    assert_eq!(resamples.samples(), 30);
    let own = Tensor::from_slice(&strata);
    assert_eq!(resamples.mean(&own).interval(1.0), Some([1.0, 1.0]));
    let [low, high] = Resamples::draw(&[0; 30], 200, &mut Rng::at(1, "test", 0)).mean(&own).interval(1.0).unwrap();
    assert!(low < 1.0 && high > 1.0, "without strata their shares vary");
    let [low, high] =
        resamples.mean(&(own * 0.0 + Tensor::arange(30, (Kind::Double, Device::Cpu)))).interval(1.0).unwrap();
    assert!(low < 14.5 && high > 14.5, "inside of a stratum samples vary");
}
