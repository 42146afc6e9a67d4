//! What the log of a run says, in one pass.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::curve::Curve;

/// What became of a node in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its turn has not come yet.
    #[default]
    Waiting,
    /// It runs.
    Running,
    /// Its artifact was there.
    Cached,
    /// It ran, and its artifact is there.
    Ran,
    /// It failed.
    Failed,
    /// It was stopped before it was done.
    Interrupted,
    /// It was not started.
    Skipped,
    /// It ran when the engine was killed.
    Died,
}

/// Something that a node, or the engine about it, had to say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// When, as RFC 3339.
    pub time: String,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// The words.
    pub text: String,
}

/// What is told of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeTold {
    pub(super) state: NodeState,
    pub(super) started: Option<String>,
    pub(super) ended: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) attempts: u64,
    pub(super) step: Option<[u64; 2]>,
    pub(super) checkpoint: Option<u64>,
    pub(super) message: Option<String>,
    pub(super) output: Option<String>,
    pub(super) said: Vec<Said>,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) samples: BTreeMap<u64, String>,
    pub(super) curve: Curve,
}

/// What is told in a run.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) nodes: BTreeMap<String, NodeTold>,
    pub(super) warnings: Vec<String>,
    /// The time of the last line.
    pub(super) last: Option<String>,
    /// Bytes of the whole lines that were read.
    pub(super) read: u64,
}

impl Told {
    /// Reads the log of a run; what is no event is passed over. Of nodes that are none of `only`, nothing is kept.
    pub(super) fn of(run: &Path, only: Option<&HashSet<&str>>) -> Told {
        let mut told = Told::default();
        let Ok(file) = File::open(run.join("events.jsonl")) else { return told };
        let mut lines = BufReader::with_capacity(256 << 10, file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) && line.ends_with(b"\n") {
            told.read += line.len() as u64;
            if let Ok(Value::Object(event)) = serde_json::from_slice(&line) {
                told.take(&event, only);
            }
            line.clear();
        }
        told
    }

    fn take(&mut self, event: &Map<String, Value>, only: Option<&HashSet<&str>>) {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        self.last = Some(text("time").to_owned());
        match (text("event"), event.get("node").and_then(Value::as_str)) {
            ("warning", None) => self.warnings.push(text("message").to_owned()),
            (name, Some(node)) if only.is_none_or(|only| only.contains(node)) => {
                self.nodes.entry(node.to_owned()).or_default().take(name, event);
            }
            _ => {}
        }
    }
}

impl NodeTold {
    fn take(&mut self, name: &str, event: &Map<String, Value>) {
        let text = |field: &str| event.get(field).and_then(Value::as_str).map(str::to_owned);
        let number = |field: &str| event.get(field).and_then(Value::as_u64);
        let time = text("time").unwrap_or_default();
        match name {
            "node_started" => {
                self.state = NodeState::Running;
                self.started.get_or_insert(time);
                self.attempts = number("attempt").unwrap_or(1);
                self.reason = text("reason");
            }
            "node_cached" => self.end(NodeState::Cached, time),
            "node_ran" => self.end(NodeState::Ran, time),
            "node_failed" => {
                (self.message, self.output) = (text("message"), text("output"));
                self.end(NodeState::Failed, time);
            }
            "node_interrupted" => {
                self.checkpoint = number("checkpoint").or(self.checkpoint);
                self.end(NodeState::Interrupted, time);
            }
            "node_skipped" => {
                self.message = text("because");
                self.state = NodeState::Skipped;
            }
            "node_retried" => self.say(time, "warning", text("message")),
            "node_repaired" => self.say(time, "warning", text("message")),
            "message" => self.say(time, &text("level").unwrap_or_default(), text("text")),
            "metric" => {
                let value = event.get("value").and_then(Value::as_f64);
                self.metrics.extend(text("name").zip(value));
            }
            "sample" => self.samples.extend(number("step").zip(text("path"))),
            "checkpoint" => self.checkpoint = number("step"),
            "resumed" => self.curve.resume(number("step").unwrap_or_default()),
            "step" => {
                self.step = number("step").zip(number("of")).map(|(step, of)| [step, of]);
                self.curve.push(event);
            }
            _ => {}
        }
    }

    fn end(&mut self, state: NodeState, time: String) {
        self.state = state;
        self.ended = Some(time);
    }

    fn say(&mut self, time: String, level: &str, text: Option<String>) {
        self.said.extend(text.map(|text| Said { time, level: level.to_owned(), text }));
    }

    /// Takes what an earlier run told of the same training.
    pub(super) fn precede(&mut self, mut earlier: NodeTold) {
        let own = std::mem::take(&mut self.curve);
        earlier.curve.continue_with(own);
        self.curve = earlier.curve;
        for (step, path) in earlier.samples {
            self.samples.entry(step).or_insert(path);
        }
        for (name, value) in earlier.metrics {
            self.metrics.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_up_to_its_last_whole_line() {
        let run = tempfile::tempdir().unwrap();
        let lines = concat!(
            r#"{"time":"1","event":"node_started","node":"a","kind":"K","key":"k","reason":"never ran","attempt":1}"#,
            "\nno JSON\n",
            r#"{"time":"2","node":"a","event":"step","step":3,"of":4,"losses":{"mse":0.5},"speed":2.0}"#,
            "\n",
            r#"{"time":"3","event":"node_failed","node":"a","message":"no room","output":"line"}"#,
            "\n",
        );
        std::fs::write(run.path().join("events.jsonl"), format!("{lines}{{\"time\":\"4\",\"event\":\"summary\""))
            .unwrap();
        let told = Told::of(run.path(), None);
        let node = &told.nodes["a"];
        assert_eq!((told.read, told.last.as_deref()), (lines.len() as u64, Some("3")));
        assert_eq!(
            (node.state, node.step, node.message.as_deref()),
            (NodeState::Failed, Some([3, 4]), Some("no room"))
        );
        assert_eq!(node.curve.series["mse"], [[3.0, 0.5]]);
        assert!(Told::of(run.path(), Some(&HashSet::from(["b"]))).nodes.is_empty());
    }
}
