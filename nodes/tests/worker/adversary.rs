//! The adversarial term of a distillation, and the methods beside TSCD.

use std::collections::BTreeMap;

use hyper_flow_diffusion::weights::read_tensors;
use serde_json::{Value, json};
use tch::{Device, Kind};

use crate::chain::{over, segment_distill};
use crate::lab::{Work, assert_same};

/// A stage of two segments against a discriminator of this form.
fn against(form: &str, adversarial: Value, changes: Value) -> Work {
    let adversarial = over(json!({"discriminator": form, "weight": 0.5}), adversarial);
    let base = json!({"steps": 4, "student": "student", "segments": 2, "adversarial": adversarial});
    segment_distill(over(base, changes))
}

/// The losses of the first step.
fn first(work: &Work) -> BTreeMap<String, f64> {
    work.run().succeeded().losses().remove(0)
}

#[test]
fn the_weight_is_that_of_the_stage_unless_it_is_given() {
    let stage = |segments: i64, weight: Option<f64>| {
        first(&against("Heads", json!({"weight": weight}), json!({"segments": segments, "steps": 1})))
    };
    let (alone, two, one) = (stage(2, Some(1.0)), stage(2, None), stage(1, None));
    assert!((two["student.adversarial"] / alone["student.adversarial"] - 0.1).abs() < 1e-6);
    assert!((one["student.adversarial"] / stage(1, Some(1.0))["student.adversarial"] - 0.2).abs() < 1e-6);
    for segments in [4, 8] {
        let names: Vec<_> = stage(segments, None).into_keys().collect();
        assert_eq!(names, ["consistency"], "no discriminator at {segments}");
        assert!(stage(segments, Some(0.3)).contains_key("discriminator.hinge"));
    }
}

#[test]
fn the_discriminator_is_in_the_checkpoint_and_not_in_the_artifact() {
    let own = |form| {
        let work = against(form, json!({}), json!({}));
        let artifact = work.artifact();
        let names: Vec<_> = read_tensors(&work.checkpoint(), Kind::Float, Device::Cpu).unwrap().into_keys().collect();
        let of = |part: &str| names.iter().filter(|name| name.starts_with(&format!("discriminator/{part}/"))).count();
        assert!(of("parameter") > 0 && of("optimiser") == 3 * of("parameter"), "{form}");
        artifact
    };
    let (heads, encoder) = (own("Heads"), own("Encoder"));
    let plain = segment_distill(json!({"steps": 4, "student": "student", "segments": 2})).artifact();
    assert_eq!(plain.keys().collect::<Vec<_>>(), heads.keys().collect::<Vec<_>>());
    assert!(plain != heads && plain != encoder && heads != encoder);
}

#[test]
fn each_method_learns_something_else_and_tcd_is_tscd_of_one_segment() {
    let stage = |method: &str, segments: i64| {
        segment_distill(json!({"steps": 2, "student": "student", "method": method, "segments": segments})).artifact()
    };
    assert_same("TCD and TSCD of one segment", &stage("Tcd", 1), &stage("Tscd", 1));
    let different = [stage("Tscd", 1), stage("Lcm", 1), stage("Pcm", 1), stage("Tscd", 2), stage("Pcm", 2)];
    for (i, artifact) in different.iter().enumerate() {
        assert!(different[..i].iter().all(|other| other != artifact), "{i}");
    }
    // Its samples are at the end of the trajectory, and are judged from there.
    let lcm = against("Heads", json!({}), json!({"method": "Lcm", "segments": 1}));
    assert!(first(&lcm)["student.adversarial"].is_finite());
}

#[test]
fn offset_noise_is_noise() {
    let [none, some] = [0.0, 0.1].map(|offset| {
        first(&segment_distill(json!({"steps": 1, "student": "student", "offset_noise": offset})))["consistency"]
    });
    assert!(none != some && (some / none - 1.0).abs() < 0.5, "{none} and {some}");
}
