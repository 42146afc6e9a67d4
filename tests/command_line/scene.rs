//! A directory with pipeline files, in which the command is run with nothing of the caller's environment.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A data file goes through `a` into `b` and `c`, both into `merged`.
pub(crate) const PIPELINE: &str = r#"Pipeline(name: "test", nodes: {
    "a": Command(program: ["sh", "-c", "tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2"], files: {"src": "data.txt"}),
    "b": Command(program: ["sh", "-c", "sort $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"], inputs: {"x": "a"}),
    "c": Command(program: ["sh", "-c", "head -n 1 $FLOW_IN_X/a.txt > $FLOW_OUT/c.txt"], inputs: {"x": "a"}),
    "merged": Command(program: ["sh", "-c", "cat $FLOW_IN_LEFT/* $FLOW_IN_RIGHT/* > $FLOW_OUT/merged.txt"], inputs: {"left": "b", "right": "c"}),
})"#;

pub(crate) struct Scene {
    pub(crate) dir: TempDir,
}

impl Scene {
    pub(crate) fn empty() -> Scene {
        Scene { dir: TempDir::new().unwrap() }
    }

    /// With [`PIPELINE`] as `test.ron`.
    pub(crate) fn new() -> Scene {
        let scene = Scene::empty();
        scene.write("test.ron", PIPELINE);
        scene.write("data.txt", "two\none\n");
        scene
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Replaces a piece of `test.ron`, which must be there.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let text = self.read("test.ron");
        assert!(text.contains(old), "{old} is not in the pipeline");
        self.write("test.ron", &text.replace(old, new));
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyper-flow"));
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.path());
        command
    }

    /// Standard output of a command that must succeed, without what differs from run to run.
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        self.text(&output.stdout)
    }

    /// Exit code and standard error.
    pub(crate) fn fails(&self, line: &str) -> String {
        let output: Output = self.command(line).output().unwrap();
        format!("exit {}\n{}", output.status.code().unwrap(), self.text(&output.stderr))
    }

    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let here = self.path().canonicalize().unwrap();
        text.replace(here.to_str().unwrap(), "[DIR]").replace(self.path().to_str().unwrap(), "[DIR]")
    }
}

/// Puts words for what differs from run to run, in the snapshots of this scope.
pub(crate) fn filters() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b[0-9a-f]{64}\b", "[DIGEST]");
    settings.add_filter(r"\b[0-9a-f]{2}/[0-9a-f]{62}\b", "[OBJECT]");
    settings.add_filter(r"\b\d{8}-\d{6}-\d{3}-[0-9a-f]{4}\b", "[RUN]");
    settings.add_filter(r"(just now|\d+ min ago)", "[AGO]");
    settings.add_filter(r"in \d+\.\d s", "in [TIME]");
    settings.add_filter(r"\b[0-9a-f]{12}\b", "[KEY]");
    settings.add_filter(r"pictures/(\S+)-[0-9a-f]{8}/", "pictures/$1-[ARTIFACT]/");
    settings.bind_to_scope()
}
