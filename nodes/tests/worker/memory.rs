//! One base in memory: teacher, student, its average, the fake score and what a discriminator looks at are one frozen UNet,
//! and adapters are all that is added.

use std::fs;

use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::unet::{self, PerBlock, UNet2DConditionConfig, UNet2DConditionModel};
use serde_json::{Value, json};
use tch::{Device, nn};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{reward_finetune, score_distill, segment_distill, teacher};
use crate::lab::Work;

/// The teacher with a UNet so wide that a second one would be seen.
fn wide_teacher() -> TempDir {
    let folder = copy(teacher());
    let path = folder.path().join("unet");
    let config = UNet2DConditionConfig::read(&path.join("config.json")).unwrap();
    let config =
        UNet2DConditionConfig { block_out_channels: vec![320, 640], attention_head_dim: PerBlock::Same(8), ..config };
    let vs = nn::VarStore::new(Device::Cpu);
    UNet2DConditionModel::new(&vs, &config).unwrap();
    init_weights(&vs, 1);
    unet::save(&path, &vs, &config).unwrap();
    folder
}

/// The UNets that a kind holds: how much more memory it takes on the wide teacher than on the narrow one.
fn assert_one_unet(what: &str, narrow: &Work, wide: &Work) {
    let peak = |work: &Work| work.run().succeeded().memory().peak as f64;
    let unet = wide.job.inputs["teacher"].join("unet/diffusion_pytorch_model.safetensors");
    let weights = fs::metadata(unet).unwrap().len() as f64;
    assert!(weights > 100e6, "too narrow to be seen: {weights}");
    let copies = (peak(wide) - peak(narrow)) / weights;
    assert!((0.8..1.7).contains(&copies), "{what} holds {copies:.2} UNets");
}

#[test]
fn a_distillation_holds_the_unet_once() {
    let teacher = wide_teacher();
    let on_wide = |work: Work| work.input("teacher", teacher.path());
    let adversarial = json!({"discriminator": "Heads", "weight": 0.5});
    let stage = || segment_distill(json!({"steps": 2, "batch": 2, "adversarial": adversarial}));
    let student = on_wide(stage());
    assert_one_unet("SegmentDistill", &stage(), &student);

    let few = json!({"steps": 2, "batch": 2, "student": "student"});
    for (what, make) in [("RewardFinetune", reward_finetune as fn(Value) -> Work), ("ScoreDistill", score_distill)] {
        let wide = on_wide(make(few.clone())).input("student", &student.job.output);
        assert_one_unet(what, &make(few.clone()), &wide);
    }
}
