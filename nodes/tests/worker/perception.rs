//! `TrainSegmenter`, and the visual-perception term of `RewardFinetune`.

use hyper_flow_diffusion::weights::read_tensors;
use insta::assert_snapshot;
use serde_json::json;
use tch::{Device, Kind};

use crate::chain::{clip, digits, masked_digits, over, perceived, reward_finetune, train_segmenter};
use crate::lab::Work;
use crate::masks::discs;
use crate::tiny_models::{Family, Tiny};

#[test]
fn a_segmenter_learns_the_masks() {
    let work = train_segmenter(json!({"steps": 60, "lr": 0.02, "batch": 32, "min_iou": 0.8}));
    let ended = work.run();
    let losses = ended.succeeded().losses();
    assert!(losses[59]["mask"] < 0.5 * losses[0]["mask"], "{losses:?}");
    let iou = ended.metric("held_out_iou");
    assert!(iou > 0.8 && iou <= 1.0, "{iou}");
    assert_eq!(work.files().into_keys().collect::<Vec<_>>(), ["config.json", "model.safetensors"]);
}

#[test]
fn a_segmenter_that_sees_nothing_says_so() {
    let iou =
        train_segmenter(json!({"steps": 1, "lr": 1e-9, "min_iou": 0.99})).run().succeeded().metric("held_out_iou");
    assert!(iou < 0.99, "{iou}");
    let unmasked = train_segmenter(json!({"steps": 1})).input("data", digits());
    assert_snapshot!(unmasked.failure(), @"the dataset has no masks; ask for them where it is read in: `masks`");
}

fn lora(work: &Work) -> Vec<f32> {
    let tensors = read_tensors(&work.job.output.join("lora.safetensors"), Kind::Float, Device::Cpu).unwrap();
    tensors.into_values().flat_map(|x| Vec::<f32>::try_from(x.flatten(0, -1)).unwrap()).collect()
}

#[test]
fn perception_is_a_term_of_its_own() {
    let term = |weight: f64, more| {
        let work =
            perceived(over(json!({"steps": 2, "perception": {"model": "perception.model", "weight": weight}}), more));
        let losses = work.run().succeeded().losses();
        (losses[0].clone(), lora(&work))
    };
    let ((one, trained), (half, _)) = (term(1.0, json!({})), term(0.5, json!({})));
    assert_eq!(one.keys().collect::<Vec<_>>(), ["anchor", "perception", "reward.0"]);
    assert_eq!((one["reward.0"], one["perception"]), (half["reward.0"], 2.0 * half["perception"]));
    let plain = reward_finetune(json!({"steps": 2})).input("data", masked_digits());
    let losses = plain.run().succeeded().losses();
    assert_eq!(losses[0]["reward.0"], one["reward.0"], "the other terms draw what they drew");
    assert_ne!(lora(&plain), trained);
}

#[test]
fn a_student_learns_to_keep_shapes() {
    // Nothing else is wanted of it: no reward below the threshold, no anchor.
    let segmenter = train_segmenter(json!({"steps": 60, "lr": 0.02, "batch": 32}));
    segmenter.artifact();
    let work = perceived(json!({
        "steps": 40, "lr": 0.01, "batch": 32, "anchor": 0.0,
        "rewards": [{"Clip": {"model": "rewards.0.model", "weight": 0.0}}],
    }));
    let losses = work.input("perception.model", &segmenter.job.output).run().succeeded().losses();
    let mean = |range: std::ops::Range<usize>| losses[range].iter().map(|terms| terms["perception"]).sum::<f64>() / 5.0;
    assert!(mean(35..40) < 0.8 * mean(0..5), "{losses:?}");
}

#[test]
fn decoded_latents_are_looked_at() {
    let (tiny, student) = (Tiny::of_digits(Family::Sd15), tempfile::tempdir().unwrap());
    let model = tiny.folder();
    crate::stable_diffusion::write_lora(&tiny, &student.path().join("lora.safetensors"));
    let latents = Work::new("EncodeLatents", json!({"model": "model", "data": "data"}))
        .input("model", model.path())
        .input("data", masked_digits());
    latents.artifact();
    let work = perceived(json!({"steps": 2, "batch": 2, "checkpointing": true, "precision": "Bf16"}))
        .input("teacher", model.path())
        .input("data", &latents.job.output)
        .input("student", student.path())
        .input("rewards.0.model", clip());
    let losses = work.run().succeeded().losses();
    assert!(losses.iter().all(|terms| terms["perception"].is_finite() && terms["perception"] > 0.0), "{losses:?}");
}

#[test]
fn what_perception_cannot_look_at() {
    let unmasked = perceived(json!({"steps": 1})).input("data", digits());
    assert_snapshot!(unmasked.failure(), @"the data have no masks for `perception`; ask for them where the dataset is read in: `masks`");
    let data = discs();
    let coloured = train_segmenter(json!({"steps": 1})).input("data", &data.job.output);
    coloured.artifact();
    let unlike = perceived(json!({"steps": 1})).input("perception.model", &coloured.job.output);
    assert_snapshot!(unlike.failure(), @"the segmenter sees pictures of 3 channels, and the model draws 1");
}
