//! Every kind that computes on a GPU, in every precision.

use hyper_flow_spec::Level;
use serde_json::json;

use super::{is_there, on_device, with};
use crate::golden;

macro_rules! kinds {
    ($($kind:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        $(
            #[test]
            #[expect(non_snake_case, reason = "it is the name of the kind")]
            fn $kind() {
                check(stringify!($kind));
            }
        )*
    };
}

kinds! {
    TrainClip TrainJudge TrainSegmenter TrainVae TrainTeacher EncodeLatents SegmentDistill RewardFinetune OdePairs ScoreDistill
    FinetuneLora LoraExtract Sample Eval
}

#[test]
fn every_kind_that_computes_on_a_gpu_is_tried() {
    let all = golden::PINNED.iter().filter(|kind| golden::work(kind).job.kind.computes_on_gpu());
    let mut all: Vec<_> = all.copied().collect();
    let mut tried = KINDS.to_vec();
    all.sort_unstable();
    tried.sort_unstable();
    assert_eq!(tried, all);
}

/// What is pinned comes out on the device; in other precisions, and with checkpointing, something does.
fn check(kind: &str) {
    if !is_there() {
        return;
    }
    golden::check_work(kind, &on_device(golden::work(kind)));
    for precision in ["Tf32", "Bf16", "Fp16"] {
        let work = on_device(golden::work(kind));
        if work.job.kind.precision().is_none() {
            return;
        }
        let work = with(work, &[("precision", json!(precision)), ("checkpointing", json!(true))]);
        // Numbers of 16 bits that a formula made may overflow: that is no fault of where they are.
        let ended = work.run();
        let messages = ended.messages(Level::Error);
        let is_numeric = |text: &String| text.contains(" is inf") || text.contains(" is NaN") || text.contains("NaN");
        assert!(ended.status.success() || messages.iter().all(is_numeric), "{kind} in {precision}: {ended:#?}");
    }
}
