//! What the log of a run tells of a node, line by line: a training has hundreds of thousands of steps, and few of them are
//! wanted.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use memchr::memmem;

/// More than a line, so that the system is seldom asked.
const BUFFER: usize = 256 << 10;

/// Where events of a node are read.
#[derive(Debug, Clone, Default)]
pub struct NodeEvents {
    path: PathBuf,
    /// What is in every line about the node, and in no other: what is quoted in a text is escaped there.
    mark: Vec<u8>,
}

impl NodeEvents {
    /// In the directory of a run.
    pub(crate) fn of(run: &Path, node: &str) -> NodeEvents {
        let mark = format!("\"node\":{}", serde_json::Value::from(node)).into_bytes();
        NodeEvents { path: run.join("events.jsonl"), mark }
    }

    /// The name of the event in a line, if it is one of the node.
    pub(crate) fn name<'a>(&self, line: &'a [u8]) -> Option<&'a str> {
        memmem::find(line, &self.mark)?;
        quoted(&line[memmem::find(line, EVENT)? + EVENT.len()..])
    }

    /// Gives the name and the line of each event to `visit`, which may end it. A log that cannot be read has none.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let Ok(file) = File::open(&self.path) else { return Ok(()) };
        let (mark, event) = (memmem::Finder::new(&self.mark), memmem::Finder::new(EVENT));
        let mut lines = BufReader::with_capacity(BUFFER, file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if mark.find(&line).is_some()
                && let Some(name) = event.find(&line).and_then(|at| quoted(&line[at + EVENT.len()..]))
            {
                visit(name, &line)?;
            }
            line.clear();
        }
        Ok(())
    }
}

/// What is before the name of an event.
const EVENT: &[u8] = b"\"event\":\"";

/// The text before the next quote.
fn quoted(text: &[u8]) -> Option<&str> {
    let end = memchr::memchr(b'"', text)?;
    str::from_utf8(&text[..end]).ok()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn only_lines_about_the_node_are_given() {
        let dir = tempfile::tempdir().unwrap();
        let lines = [
            r#"{"time":"t","event":"node_started","node":"a\"b"}"#,
            r#"{"time":"t","node":"a","event":"step","step":1}"#,
            "no JSON",
            r#"{"time":"t","node":"c","event":"message","text":"\"node\":\"a\\\"b\" is quoted"}"#,
            r#"{"time":"t","node":"a\"b","event":"step","step":2}"#,
            r#"{"time":"t","node":"a\"b","ev"#,
        ];
        std::fs::write(dir.path().join("events.jsonl"), lines.join("\n")).unwrap();
        let mut told = Vec::new();
        let visit = |name: &str, line: &[u8]| {
            told.push((name.to_owned(), line.trim_ascii_end().to_vec()));
            Ok::<_, Infallible>(())
        };
        NodeEvents::of(dir.path(), "a\"b").each(visit).unwrap();
        let expected = [("node_started", lines[0]), ("step", lines[4])];
        assert_eq!(told, expected.map(|(name, line)| (name.to_owned(), line.as_bytes().to_vec())));
        assert!(NodeEvents::of(&dir.path().join("none"), "a").each(|_, _| Err(())).is_ok());
    }
}
