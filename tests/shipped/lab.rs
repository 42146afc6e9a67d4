//! A shipped pipeline on digits, with its data and a store in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Lab {
    folder: TempDir,
    pipeline: PathBuf,
    /// What is set in every command: few steps, small batches, few pictures. What is tested is which nodes run and what is
    /// said, not what is learned.
    small: Vec<String>,
}

impl Lab {
    /// `name` is the pipeline's, without ".ron".
    pub(crate) fn new(name: &str, small: &[&str]) -> Lab {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        fs::create_dir(folder.path().join("data")).unwrap();
        let file = format!("{name}.ron");
        for file in [file.as_str(), "data/digits.csv.gz"] {
            fs::copy(shipped.join(file), folder.path().join(file)).unwrap();
        }
        let always =
            ["clip.steps=3", "clip-held-out.steps=3", "judge.steps=3", "judge.min_accuracy=0.0", "teacher.steps=4"];
        let small = always.iter().chain(small).map(|change| (*change).to_owned()).collect();
        Lab { pipeline: folder.path().join(file), folder, small }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces text of the pipeline file, which must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.pipeline).unwrap();
        assert!(text.contains(from), "the pipeline has no {from:?}");
        fs::write(&self.pipeline, text.replace(from, to)).unwrap();
    }

    /// Gives a node another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        self.edit(&format!("{from:?}"), &format!("{to:?}"));
        for change in &mut self.small {
            if let Some(rest) = change.strip_prefix(&format!("{from}.")) {
                *change = format!("{to}.{rest}");
            }
        }
    }

    /// A command on the pipeline.
    pub(crate) fn engine(&self, command: &str, arguments: &[&str], set: &[&str]) -> Output {
        let engine = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow"));
        let worker = engine.with_file_name("hyper-flow-worker");
        assert!(worker.exists(), "no worker beside the engine: run the tests of the whole workspace (`make test`)");
        let mut call = Command::new(engine);
        call.current_dir(self.folder.path()).env_remove("HYPER_FLOW_STORE").env("HYPER_FLOW_WORKER", worker);
        call.arg(command).arg(&self.pipeline).args(arguments);
        if command != "log" {
            call.args(
                self.small.iter().map(String::as_str).chain(set.iter().copied()).flat_map(|change| ["--set", change]),
            );
        }
        call.output().expect("the engine starts")
    }

    /// What a command that succeeds prints.
    pub(crate) fn says(&self, command: &str, arguments: &[&str], set: &[&str]) -> String {
        let output = self.engine(command, arguments, set);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
        out
    }

    /// The same as JSON.
    pub(crate) fn json(&self, command: &str, arguments: &[&str], set: &[&str]) -> Value {
        serde_json::from_str(&self.says(command, &[arguments, &["--json"]].concat(), set)).expect("one JSON value")
    }

    /// Runs the pipeline and gives the names of the nodes that ran, in alphabetical order.
    pub(crate) fn run(&self, set: &[&str]) -> Vec<String> {
        let out = self.says("run", &["--json"], set);
        let summary: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
        let mut ran: Vec<String> = serde_json::from_value(summary["ran"].clone()).expect("names");
        ran.sort();
        ran
    }
}
