//! Frozen networks in half precision, and dropout: what they change, and what they do not.

use serde_json::{Value, json};

use crate::chain::{reward_finetune, sample, score_distill, segment_distill};
use crate::lab::Work;

type Make = fn(Value) -> Work;

const DISTILLATIONS: [(Make, &str); 3] =
    [(segment_distill, "consistency"), (reward_finetune, "reward.0"), (score_distill, "student.score")];

/// The loss after one step, so that a fresh LoRA is no longer nothing.
fn second_loss(make: Make, term: &str, changes: Value) -> f64 {
    let mut parameters = json!({"steps": 2, "student": "student"});
    parameters.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    make(parameters).run().succeeded().losses()[1][term]
}

#[test]
fn half_precision_rounds_the_losses_and_no_more_and_dropout_is_in_force() {
    for (make, term) in DISTILLATIONS {
        let exact = second_loss(make, term, json!({}));
        for (precision, tolerance) in [("Bf16", 0.1), ("Fp16", 0.02)] {
            let loss = second_loss(make, term, json!({"precision": precision}));
            let far = (loss / exact - 1.0).abs();
            assert!(far > 0.0 && far < tolerance, "{term}, {precision}: {loss} is {far:e} from {exact}");
        }
        assert_ne!(second_loss(make, term, json!({"dropout": 0.5})), exact, "{term}");
    }
}

#[test]
fn pictures_are_drawn_in_half_precision() {
    let [exact, rounded] = ["Fp32", "Bf16"].map(|precision| sample(json!({"precision": precision})).artifact());
    assert_ne!(exact["0000.png"], rounded["0000.png"]);
}
