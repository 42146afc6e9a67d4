//! `pipelines/hacked-reward.ron`: what a run, `show` and `log` say of a hacked reward.

use serde_json::Value;

use crate::lab::Lab;

/// Trainings of a few steps. Those on the reward learn fast enough for the pictures to go white nevertheless.
const SMALL: &[&str] = &[
    "tscd-8.steps=2",
    "tscd-4.steps=2",
    "tscd-2.steps=2",
    "tscd-1.steps=2",
    "params.steps=40",
    "unguarded.lr=0.02",
    "unguarded.ema=0.5",
    "unguarded.rollouts=[1]",
    "guarded.lr=0.02",
    "guarded.ema=0.5",
    "guarded.rollouts=[1]",
    "eval.samples=40",
    "eval.reference_steps=4",
    "eval.steps=[1]",
];

/// The number of a candidate's pictures.
fn number(eval: &Value, candidate: &str, column: &str) -> f64 {
    let rows = eval["metrics"]["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["candidate"] == candidate).expect("a row");
    row[column].as_f64().unwrap_or_else(|| panic!("no {column} in {row}"))
}

#[test]
fn a_run_says_which_training_was_hacked_and_which_was_stopped() {
    let lab = Lab::new("hacked-reward", SMALL);
    let told = lab.says("run", &[], &[]);
    for node in ["unguarded", "guarded"] {
        assert!(told.contains(&format!("\n{node}:\n")) && told.contains(&format!("{node}: ")), "{told}");
    }
    assert_eq!(told.matches("the reward is hacked").count(), 2, "{told}");

    let unguarded = lab.json("show", &["unguarded"], &[]);
    let (report, last) = (&unguarded["metrics"], unguarded["metrics"]["rows"].as_array().unwrap().last().unwrap());
    assert_eq!(
        (&report["hacked"], &report["stopped_after"], &report["yielded"]),
        (&true.into(), &Value::Null, &40.into())
    );
    assert!(last["diversity"].as_f64().unwrap() < 0.5, "{last}");

    let guarded = lab.json("show", &["guarded"], &[]);
    let stopped = guarded["metrics"]["stopped_after"].as_u64().expect("it was stopped");
    assert!(stopped < 40 && guarded["metrics"]["yielded"].as_u64() < Some(stopped));
    let shown = lab.says("show", &["guarded"], &[]);
    assert!(shown.contains("the reward is hacked") && shown.contains("guard.png"), "{shown}");
    let logged = lab.says("log", &["guarded"], &[]);
    assert!(logged.contains("warning: the reward is hacked") && logged.contains("step 4: held-out score"), "{logged}");

    let eval = lab.json("show", &["eval"], &[]);
    let [student, unguarded, guarded] =
        ["student", "unguarded", "guarded"].map(|candidate| number(&eval, candidate, "diversity"));
    assert!(unguarded < 0.5 * student && guarded > 0.7 * student, "{student}, {unguarded}, {guarded}");
}
