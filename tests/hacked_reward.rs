//! `pipelines/hacked-reward.ron` from end to end, with few steps: what a run, `show` and `log` say of a hacked reward.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Trainings of a few steps. Those on the reward learn fast enough for the pictures to go white nevertheless.
const SMALL: &[&str] = &[
    "clip.steps=3",
    "clip-held-out.steps=3",
    "judge.steps=3",
    "judge.min_accuracy=0.0",
    "teacher.steps=4",
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

struct Lab(TempDir);

impl Lab {
    /// What a command prints on standard output.
    fn engine(&self, command: &str, arguments: &[&str]) -> String {
        let engine = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow"));
        let worker = engine.with_file_name("hyper-flow-worker");
        assert!(worker.exists(), "no worker beside the engine: run the tests of the whole workspace (`make test`)");
        let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/hacked-reward.ron");
        let mut call = Command::new(engine);
        call.current_dir(self.0.path())
            .env("HYPER_FLOW_WORKER", worker)
            .env("HYPER_FLOW_STORE", self.0.path().join("store"));
        call.arg(command).arg(pipeline).args(arguments);
        if command != "log" {
            call.args(SMALL.iter().flat_map(|change| ["--set", change]));
        }
        let output = call.output().expect("the engine starts");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
        out
    }

    fn json(&self, command: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.engine(command, &[arguments, &["--json"]].concat())).expect("JSON")
    }
}

/// The number of a candidate's pictures.
fn number(eval: &Value, candidate: &str, column: &str) -> f64 {
    let rows = eval["metrics"]["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["candidate"] == candidate).expect("a row");
    row[column].as_f64().unwrap_or_else(|| panic!("no {column} in {row}"))
}

#[test]
fn a_run_says_which_training_was_hacked_and_which_was_stopped() {
    let lab = Lab(tempfile::tempdir().unwrap());
    let told = lab.engine("run", &[]);
    for node in ["unguarded", "guarded"] {
        assert!(told.contains(&format!("\n{node}:\n")) && told.contains(&format!("{node}: ")), "{told}");
    }
    assert_eq!(told.matches("the reward is hacked").count(), 2, "{told}");

    let unguarded = lab.json("show", &["unguarded"]);
    let (report, last) = (&unguarded["metrics"], unguarded["metrics"]["rows"].as_array().unwrap().last().unwrap());
    assert_eq!(
        (&report["hacked"], &report["stopped_after"], &report["yielded"]),
        (&true.into(), &Value::Null, &40.into())
    );
    assert!(last["diversity"].as_f64().unwrap() < 0.5, "{last}");

    let guarded = lab.json("show", &["guarded"]);
    let stopped = guarded["metrics"]["stopped_after"].as_u64().expect("it was stopped");
    assert!(stopped < 40 && guarded["metrics"]["yielded"].as_u64() < Some(stopped));
    let shown = lab.engine("show", &["guarded"]);
    assert!(shown.contains("the reward is hacked") && shown.contains("guard.png"), "{shown}");
    let logged = lab.engine("log", &["guarded"]);
    assert!(logged.contains("warning: the reward is hacked") && logged.contains("step 4: held-out score"), "{logged}");

    let eval = lab.json("show", &["eval"]);
    let [student, unguarded, guarded] =
        ["student", "unguarded", "guarded"].map(|candidate| number(&eval, candidate, "diversity"));
    assert!(unguarded < 0.5 * student && guarded > 0.7 * student, "{student}, {unguarded}, {guarded}");
}
