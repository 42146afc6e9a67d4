//! `pipelines/ablation.ron` from end to end, with few steps: a matrix, the engine and the worker together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Few steps, small batches, few pictures: what is tested is which nodes run, not what they learn.
const SMALL: &[&str] = &[
    "clip.steps=3",
    "clip-held-out.steps=3",
    "judge.steps=3",
    "judge.min_accuracy=0.0",
    "teacher.steps=4",
    "{whole}@{seed}.steps=2",
    "tscd-8@{seed}.steps=1",
    "tscd-4@{seed}.steps=1",
    "tscd-2@{seed}.steps=1",
    "tscd@{seed}.steps=1",
    "{arm}-longer@{seed}.steps=1",
    "{arm}-delta@{seed}.steps=1",
    "dmd@{seed}.steps=1",
    "dmd@{seed}.fake_warmup=1",
    "{first}-dmd@{seed}.steps=1",
    "{first}-dmd@{seed}.fake_warmup=1",
    "{first}-much-longer@{seed}.steps=1",
    "eval@{seed}.samples=20",
    "eval@{seed}.reference_steps=10",
    "eval-lcm@{seed}.samples=20",
    "eval-lcm@{seed}.reference_steps=10",
    "eval-one-step@{seed}.samples=20",
    "eval-one-step@{seed}.reference_steps=10",
];

struct Lab(TempDir);

impl Lab {
    fn new() -> Lab {
        let lab = Lab(tempfile::tempdir().unwrap());
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        fs::create_dir(lab.0.path().join("data")).unwrap();
        for file in ["ablation.ron", "data/digits.csv.gz"] {
            fs::copy(shipped.join(file), lab.0.path().join(file)).unwrap();
        }
        lab
    }

    fn engine(&self, arguments: &[&str], seeds: &str) -> String {
        let engine = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow"));
        let worker = engine.with_file_name("hyper-flow-worker");
        assert!(worker.exists(), "no worker beside the engine: run the tests of the whole workspace (`make test`)");
        let mut command = Command::new(engine);
        command.current_dir(self.0.path()).env_remove("HYPER_FLOW_STORE").env("HYPER_FLOW_WORKER", worker);
        command.args(arguments).args(["--set", &format!("matrix.seed={seeds}")]);
        SMALL.iter().for_each(|change| {
            command.args(["--set", change]);
        });
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        out.into_owned()
    }

    /// Runs what it may, and gives the names of the nodes that ran.
    fn run(&self, seeds: &str) -> Vec<String> {
        let out = self.engine(&["run", "--json"], seeds);
        let summary: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        serde_json::from_value(summary["ran"].clone()).unwrap()
    }

    fn summary(&self, node: &str, seeds: &str) -> Value {
        serde_json::from_str(&self.engine(&["show", node, "summary.json"], seeds)).unwrap()
    }
}

#[test]
fn a_further_seed_runs_what_it_adds() {
    let lab = Lab::new();
    let one = lab.run("[1]");
    assert_eq!(one.len(), 30, "{one:?}");
    let two = lab.run("[1, 2]");
    let added = |node: &&String| !node.ends_with("@2");
    assert_eq!(two.iter().filter(added).collect::<Vec<_>>(), ["consistency", "one-step"]);
    assert_eq!(two.len(), 25, "{two:?}");

    let consistency = lab.summary("consistency", "[1, 2]");
    let rows = consistency["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["candidate"] == "tscd + feedback" && row["steps"] == 4).unwrap();
    assert_eq!(row["numbers"]["frechet"]["n"], 2);
    // The teacher drew for two evaluations of each seed from the same noise.
    let teacher = rows.iter().find(|row| row["candidate"] == "teacher" && row["steps"] == 4).unwrap();
    assert_eq!(teacher["numbers"]["frechet"]["n"], 2);
    let pairs = consistency["comparisons"].as_array().unwrap();
    assert!(pairs.iter().any(|pair| pair["candidate"] == "lcm + feedback" && pair["against"] == "lcm"));
}
