//! `pipelines/digits.ron` from end to end, with few steps: the engine and the worker together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Few steps, small batches, few pictures: what is tested is which nodes run, not what they learn.
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
    "reward.steps=2",
    "unified.steps=2",
    "unified.fake_warmup=1",
    "one-step.steps=2",
    "unified.adversarial=(weight: 0.1, warmup: 1)",
    "one-step.fake_warmup=1",
    "eval.samples=20",
    "eval.reference_steps=10",
    "gate.require=[(candidate: \"unified\", number: \"coverage\", at_least: 0)]",
];

/// A folder with a copy of the pipeline and its data, and a store of its own.
struct Lab {
    folder: TempDir,
}

/// What `plan` says of a node: its state and reason.
type Plan = BTreeMap<String, (String, String)>;

impl Lab {
    fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().expect("a temporary directory") };
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        fs::create_dir(lab.path("data")).unwrap();
        fs::copy(shipped.join("digits.ron"), lab.pipeline()).unwrap();
        fs::copy(shipped.join("data/digits.csv.gz"), lab.path("data/digits.csv.gz")).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pipeline(&self) -> PathBuf {
        self.path("digits.ron")
    }

    /// Replaces text of the pipeline file, which must be there.
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.pipeline()).unwrap();
        assert!(text.contains(from), "the pipeline has no {from:?}");
        fs::write(self.pipeline(), text.replace(from, to)).unwrap();
    }

    fn engine(&self, arguments: &[&str], set: &[&str]) -> Output {
        let engine = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow"));
        let worker = engine.with_file_name("hyper-flow-worker");
        assert!(worker.exists(), "no worker beside the engine: run the tests of the whole workspace (`make test`)");
        let mut command = Command::new(engine);
        command.current_dir(self.folder.path()).env_remove("HYPER_FLOW_STORE").env("HYPER_FLOW_WORKER", worker);
        command.args(arguments).arg(self.pipeline());
        let text = fs::read_to_string(self.pipeline()).unwrap();
        for change in SMALL.iter().map(|small| renamed(small, &text)).chain(set.iter().map(|s| (*s).to_owned())) {
            command.args(["--set", &change]);
        }
        command.output().expect("the engine starts")
    }

    fn plan(&self, set: &[&str]) -> Plan {
        let output = self.engine(&["plan", "--json"], set);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let plan: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
        let text = |node: &Value, field: &str| node[field].as_str().expect("text").to_owned();
        let nodes = plan["nodes"].as_array().expect("nodes").iter();
        nodes.map(|node| (text(node, "name"), (text(node, "state"), text(node, "reason")))).collect()
    }

    /// Runs the pipeline and gives the names of the nodes that ran.
    fn run(&self, set: &[&str]) -> Vec<String> {
        let output = self.engine(&["run", "--json"], set);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        let summary: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
        let mut ran: Vec<String> = serde_json::from_value(summary["ran"].clone()).expect("names");
        ran.sort();
        ran
    }
}

/// A change for the pipeline as it is named now.
fn renamed(change: &str, pipeline: &str) -> String {
    RENAMED.iter().fold(change.to_owned(), |change, (from, to)| {
        let is_renamed = pipeline.contains(&format!("\"{to}\""));
        if is_renamed { change.replace(&format!("{from}."), &format!("{to}.")) } else { change }
    })
}

/// Names that the test changes.
const RENAMED: [(&str, &str); 2] = [("tscd-8", "first stage"), ("eval", "report")];

/// The names in this state.
fn in_state(plan: &Plan, state: &str) -> Vec<String> {
    plan.iter().filter(|(_, (found, _))| found == state).map(|(name, _)| name.clone()).collect()
}

const AFTER_REWARD: [&str; 6] = ["eval", "gate", "merged", "one-step", "reward", "unified"];

#[test]
fn only_what_changed_runs() {
    let lab = Lab::new();
    let nothing: [&str; 0] = [];
    assert_eq!(lab.run(&[]).len(), 15);
    assert_eq!(lab.run(&[]), nothing);

    // The reward's weight: it runs, what follows may.
    let heavier = ["reward.rewards=[Clip(model: \"clip\", weight: 2.0, threshold: 0.86)]"];
    let plan = lab.plan(&heavier);
    assert_eq!(in_state(&plan, "run"), ["reward"]);
    assert_eq!(in_state(&plan, "maybe"), ["eval", "gate", "merged", "one-step", "unified"]);
    assert!(plan["reward"].1.contains("weight: 1.0 → 2.0"), "{}", plan["reward"].1);
    assert!(plan["merged"].1.contains("reward"), "{}", plan["merged"].1);
    assert_eq!(lab.run(&heavier), AFTER_REWARD);
    assert_eq!(lab.run(&[]), nothing, "changed back");

    // A gate that does not hold fails the run, says by how much, and loses nothing.
    let never = ["gate.require=[(candidate: \"unified\", steps: 1, number: \"coverage\", at_least: 2)]"];
    let output = lab.engine(&["run"], &never);
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("1 of 1 requirements are not met") && told.contains("required is at least 2"), "{told}");
    assert_eq!(lab.run(&[]), nothing, "what was measured is kept");

    // Another stage's steps: that stage and what follows, nothing before.
    let after_stage = ["eval", "gate", "merged", "one-step", "reward", "tscd-1", "tscd-2", "tscd-4", "unified"];
    assert_eq!(lab.run(&["tscd-4.steps=3"]), after_stage);

    // Names and places are not what a node is.
    for (from, to) in RENAMED {
        lab.edit(&format!("\"{from}\""), &format!("\"{to}\""));
    }
    fs::create_dir(lab.path("elsewhere")).unwrap();
    fs::rename(lab.path("data/digits.csv.gz"), lab.path("elsewhere/copy.csv.gz")).unwrap();
    lab.edit("data/digits.csv.gz", "elsewhere/copy.csv.gz");
    assert_eq!(lab.run(&[]), nothing, "renamed and moved");
}
