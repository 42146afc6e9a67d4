//! A folder in which a reader's commands are run: what a clone of this repository has, with pipelines made small, and what the
//! documents say that the reader brings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::markdown::root;
use crate::small::small;

/// Files and folders of the reader, and of programs that need a network, empty: as far as `check` and `plan` look at them.
const BROUGHT: [&str; 12] = [
    "data/ImageReward.safetensors",
    "data/my-style/0.png",
    "my-pictures/0.png",
    "my-pictures/0.txt",
    "data/pictures/0.png",
    "pipelines/cutouts/0.png",
    "pipelines/data/emoji/metadata.jsonl",
    "pipelines/my-model.safetensors",
    "pipelines/tokenizer/vocab.json",
    "pipelines/models/ImageReward.safetensors",
    "pipelines/models/clip-vit-base-patch32/config.json",
    "pipelines/models/sac+logos+ava1-l14-linearMSE.safetensors",
];

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        for part in
            ["Makefile", ".ci", "pipelines", "tests/parity", "tests/reading", "nodes/libtorch", "src/lsp/vscode"]
        {
            copy(&root().join(part), &place.path(part));
        }
        for file in BROUGHT {
            place.write(file, "");
        }
        for pipeline in fs::read_dir(place.path("pipelines")).unwrap().map(|entry| entry.unwrap().path()) {
            if pipeline.extension().is_some_and(|end| end == "ron") {
                fs::write(&pipeline, small(&fs::read_to_string(&pipeline).unwrap())).unwrap();
            }
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file that a document shows: a pipeline made small, what is in `/data` in a folder of this place.
    pub(crate) fn write_block(&self, name: &str, text: &str) {
        let text = text.replace("\"/data/", &format!("\"{}/", self.path("data").display()));
        self.write(name, &if name.ends_with(".ron") { small(&text) } else { text });
    }

    /// Puts nodes that a document shows into a pipeline.
    pub(crate) fn insert(&self, pipeline: &str, nodes: &str) {
        let (start, end) =
            self.read(pipeline).split_once("nodes: {").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("nodes");
        self.write(pipeline, &format!("{start}nodes: {{\n{}{end}", small(nodes)));
    }

    /// A line of shell, with the binaries found by name as after `export PATH=…`, and nothing of the caller's settings.
    pub(crate) fn command(&self, line: &str) -> Command {
        let engine = Path::new(env!("CARGO_BIN_EXE_hyper-flow"));
        let folder = engine.parent().unwrap();
        assert!(
            folder.join("hyper-flow-worker").exists(),
            "no worker beside the engine: run `cargo build --workspace`"
        );
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command.args(["300", "sh", "-c", line]).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", folder.display())).env("HOME", self.folder.path());
        for variable in ["HYPER_FLOW_STORE", "HYPER_FLOW_WORKER", "MAKEFLAGS"] {
            command.env_remove(variable);
        }
        command
    }
}

/// Copies a file, or a folder without what is in folders named `fixtures`.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        let entries = fs::read_dir(from).unwrap().map(|entry| entry.unwrap());
        for entry in entries.filter(|entry| entry.file_name() != "fixtures" && entry.file_name() != "emoji") {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
