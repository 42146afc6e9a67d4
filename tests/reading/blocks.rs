//! Blocks of code that are no commands: pipelines are checked, and Python is parsed. (What Python does with exported LoRAs is run by
//! tests/parity/open_exported.py.)

use std::process::Command;

use crate::markdown::Block;
use crate::place::Place;

impl Block {
    /// The file that a block is: its first line is a comment with nothing but the path.
    pub(crate) fn file(&self) -> Option<&str> {
        let comment = self.text.lines().next()?;
        let path = comment.strip_prefix("// ").or_else(|| comment.strip_prefix("# "))?.trim();
        let is_path = !path.contains(' ') && path.contains('.');
        (is_path && self.language != "sh").then_some(path)
    }

    /// What is wrong with it. Of a `text`, and of what other programs are configured by, nothing is checked.
    pub(crate) fn mistake(&self, place: &Place) -> Option<String> {
        match self.language.as_str() {
            "ron" => self.mistake_of_ron(place),
            "python" => parse(&self.text),
            "json" => serde_json::from_str::<serde_json::Value>(&self.text).err().map(|error| error.to_string()),
            "text" | "lua" | "toml" => None,
            language => Some(format!("`{language}` is no known language")),
        }
    }

    fn mistake_of_ron(&self, place: &Place) -> Option<String> {
        match (self.file(), self.note.strip_prefix("in=")) {
            // Parameters: the commands that follow take them.
            (Some(file), _) if !self.text.contains("Pipeline(") => {
                place.read(file).is_empty().then(|| "it is empty".to_owned())
            }
            (Some(file), _) => check(place, file),
            (None, Some(pipeline)) => {
                place.insert(&format!("pipelines/{pipeline}"), &self.text);
                check(place, &format!("pipelines/{pipeline}"))
            }
            (None, None) => Some("it is no file, and nodes of no pipeline".to_owned()),
        }
    }
}

fn check(place: &Place, pipeline: &str) -> Option<String> {
    let output = place.command(&format!("hyper-flow check {pipeline}")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success() || !told.is_empty()).then_some(told)
}

fn parse(python: &str) -> Option<String> {
    let parse = ["-c", "import ast, sys; ast.parse(sys.argv[1])", python];
    let output = Command::new("python3").args(parse).output().expect("python3 starts");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
