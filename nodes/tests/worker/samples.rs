//! Samples of a training show the model that is being trained, and leave no trace in its artifact.

use hyper_flow_spec::Event;
use serde_json::json;

use crate::chain::{digits, segment_distill, trainings};
use crate::lab::{Work, assert_same};

/// So small a rate that nothing moves: the pictures are of the model that the training begins with.
const STILL: f64 = 1e-12;

fn drawing(work: Work, every: u64) -> Work {
    work.with(|job| job.sample_every = every)
}

#[test]
fn a_sample_is_of_the_adapted_model() {
    let base = drawing(segment_distill(json!({"steps": 1, "lr": STILL})), 1);
    base.artifact();
    let trained = drawing(segment_distill(json!({"steps": 6, "lr": 0.02, "lr_decay": "Constant"})), 3);
    trained.artifact();
    assert_ne!(trained.sample(3), base.sample(1), "the base instead of the student");
    assert_ne!(trained.sample(3), trained.sample(6), "the training does not move");
    // A training that begins with the artifact shows the very pictures that the last sample showed.
    let next = drawing(segment_distill(json!({"steps": 1, "lr": STILL, "student": "student"})), 1)
        .input("student", &trained.job.output);
    next.artifact();
    assert_eq!(next.sample(1), trained.sample(6), "another model than the one that is yielded");
}

#[test]
fn samples_move_with_every_kind_and_leave_the_artifact_alone() {
    for ((kind, plain), (_, drawn)) in trainings(4).into_iter().zip(trainings(4)) {
        let drawn = drawing(drawn, 2);
        let ended = drawn.run();
        ended.succeeded();
        let samples: Vec<_> = ended
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Sample { step, path } => Some((*step, path.display().to_string())),
                _ => None,
            })
            .collect();
        if matches!(kind, "TrainClip" | "TrainJudge" | "TrainSegmenter") {
            assert_eq!(samples, []);
        } else {
            assert_eq!(samples, [(2, "step-000002.png".to_owned()), (4, "step-000004.png".to_owned())], "{kind}");
            assert_ne!(drawn.sample(2), drawn.sample(4), "{kind}");
        }
        let artifact = drawn.files();
        assert!(artifact.keys().all(|name| !name.ends_with(".png")), "{kind}: {:?}", artifact.keys());
        assert_same(kind, &artifact, &plain.artifact());
        assert!(!plain.job.log.join("step-000002.png").exists());
    }
    assert!(digits().is_dir());
}
