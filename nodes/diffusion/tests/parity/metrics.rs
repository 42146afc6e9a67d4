//! Metrics against what tests/parity/metrics.py computed by numpy and scipy.

use crate::support::{fixtures, input};
use hyper_flow_diffusion::metrics::*;
use hyper_flow_diffusion::rng::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Relative; float64 on both sides.
const TOLERANCE: f64 = 1e-9;
/// scipy takes the root of a product that is not symmetric, and loses half of the digits where it is singular.
const ROOT_TOLERANCE: f64 = 1e-6;

fn assert_near(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} against {theirs}");
}

/// With resamples enough to be no special case.
fn manifold(real: &Tensor, fake: &Tensor, neighbours: i64) -> Manifold {
    let resamples = Resamples::draw(&vec![0; fake.size()[0] as usize], 2, &mut Rng::at(0, "test", 0));
    Real::new(real, neighbours).unwrap().manifold(fake, &resamples).unwrap()
}

#[test]
fn metrics_are_those_of_numpy() {
    let text = std::fs::read_to_string(fixtures().join("metrics.json")).unwrap();
    let cases: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 3);
    for (name, case) in &cases {
        let number = |field: &str| case[field].as_f64().unwrap();
        let whole = |field: &str| case[field].as_i64().unwrap();
        let features = |side: &str, n| input(&format!("{name}.{side}"), &[n, whole("width")]).to_kind(Kind::Double);
        let real = features("real", whole("n"));
        let fake = features("fake", whole("m")) * number("scale") + number("shift");
        let near =
            |field: &str, ours, tolerance| assert_near(&format!("{name} {field}"), ours, number(field), tolerance);
        near("frechet", frechet_distance(&real, &fake), ROOT_TOLERANCE);
        near("diversity", diversity(&fake), TOLERANCE);
        let pairs = whole("n").min(whole("m"));
        let cosines = cosine_similarity(&real.narrow(0, 0, pairs), &fake.narrow(0, 0, pairs));
        near("clip_score", clip_score(cosines.mean(Kind::Double).double_value(&[])), TOLERANCE);
        let Manifold { precision, recall, density, coverage } = manifold(&real, &fake, whole("neighbours"));
        for (field, ours) in
            [("precision", precision), ("recall", recall), ("density", density), ("coverage", coverage)]
        {
            near(field, ours.value, TOLERANCE);
        }
    }
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    let x = input("x", &[50, 8]);
    assert_near("frechet", frechet_distance(&x, &x), 0.0, 1e-9);
    let own = manifold(&x, &x, 5);
    assert_eq!([own.precision, own.recall, own.coverage].map(|share| share.value), [1.0; 3]);
    assert_near("cosine", cosine_similarity(&x, &(&x * 3.0)).min().double_value(&[]), 1.0, TOLERANCE);
}

#[test]
fn gaussians_in_closed_form() {
    // Of independent coordinates: sum of (difference of means)² + (difference of deviations)².
    let x = input("x", &[500, 2]).to_kind(Kind::Double);
    let mean = x.mean_dim(0i64, true, Kind::Double);
    let (values, vectors) = (&x - &mean).tr().matmul(&(&x - &mean)).linalg_eigh("L");
    let white = (&x - &mean).matmul(&vectors) / (values / 499.0).sqrt();
    let other = &white * Tensor::from_slice(&[3f64, 0.5]) + Tensor::from_slice(&[0f64, 2.0]);
    assert_near("frechet", frechet_distance(&white, &other), 4.0 + 4.0 + 0.25, TOLERANCE);
}

#[test]
fn more_rows_than_a_block_holds_change_nothing() {
    let (real, fake) = (input("many", &[2100, 3]), input("others", &[1500, 3]));
    let whole = manifold(&real, &fake, 4);
    // The same by one matrix of distances.
    let [real, fake] = [real, fake].map(|x| x.to_kind(Kind::Double));
    let distances = |a: &Tensor, b: &Tensor| Tensor::cdist(a, b, 2.0, 2);
    let radii = distances(&real, &real).kthvalue(5, 1, true).0;
    let inside = distances(&real, &fake).less_tensor(&radii).to_kind(Kind::Double);
    assert_near("density", whole.density.value, inside.sum(Kind::Double).double_value(&[]) / (4.0 * 1500.0), TOLERANCE);
    let covered = inside.amax(1i64, false).mean(Kind::Double).double_value(&[]);
    assert_near("coverage", whole.coverage.value, covered, TOLERANCE);
    let pairs = 2100.0 * 2099.0;
    let mean = distances(&real, &real).sum(Kind::Double).double_value(&[]) / pairs;
    assert_near("diversity", diversity(&real), mean, TOLERANCE);
}

#[test]
fn too_few_samples_are_refused_or_no_number() {
    let (two, many) = (input("x", &[2, 3]), input("y", &[20, 3]));
    let message = "neighbours: 3 neighbours need more than 3 samples on each side, and at least 2: there are 2";
    assert_eq!(Real::new(&two, 3).unwrap_err().to_string(), message);
    let resamples = Resamples::draw(&[0; 2], 1, &mut Rng::at(0, "test", 0));
    let real = Real::new(&many, 3).unwrap();
    assert_eq!(real.manifold(&two, &resamples).unwrap_err().to_string(), message);
    assert!(frechet_distance(&many, &two.narrow(0, 0, 1)).is_nan());
    assert!(diversity(&two.narrow(0, 0, 1)).is_nan());
    let broken = Tensor::full([20, 3], f64::INFINITY, (Kind::Double, Device::Cpu));
    assert!(frechet_distance(&many, &broken).is_nan());
}
