//! From the events of a run to what became of it, line by line.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use hyper_flow_cache::{Digest, Key};
use memchr::memmem;
use serde::Deserialize;

use super::clock::Utc;
use super::course::{Course, Ending, PastNode, Progress, Status};
use super::outline::Outlined;

/// More than a line, so that the system is seldom asked.
const BUFFER: usize = 256 << 10;

/// What is known of a run after some lines of its log. Lines may be given as they come.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    nodes: Vec<PastNode>,
    places: HashMap<String, usize>,
    /// The newest line of each node on how far it is: only the last of many is ever read whole.
    steps: HashMap<usize, Vec<u8>>,
    /// What the last line that was read says of the time.
    last: Option<f64>,
    stopping: bool,
    ending: Option<Ending>,
}

/// What is wanted of an event, whichever it is.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    message: String,
    because: String,
    holder: Option<String>,
    key: Option<Key>,
    artifact: Option<Digest>,
    attempt: u32,
    checkpoint: Option<u64>,
    step: u64,
    done: u64,
    of: u64,
    value: Option<f64>,
    losses: BTreeMap<String, Option<f64>>,
}

/// Of a line that may be followed by thousands like it, the least.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    node: Cow<'a, str>,
}

/// The lists of a summary that tell how a run ended.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Lists {
    failed: Vec<String>,
    skipped: Vec<String>,
    interrupted: Vec<String>,
}

impl Tally {
    /// Of a run whose nodes are known before anything happened.
    pub fn of(outline: &[Outlined]) -> Tally {
        let mut tally = Tally::default();
        for node in outline {
            let place = tally.place(&node.name);
            tally.nodes[place].kind = Some(node.kind.clone());
        }
        tally
    }

    /// All that the log in a run's directory says so far.
    pub(super) fn read(mut self, run: &Path) -> Tally {
        let Ok(file) = File::open(run.join("events.jsonl")) else { return self };
        let mut lines = BufReader::with_capacity(BUFFER, file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            self.line(&line);
            line.clear();
        }
        self
    }

    /// Takes notice of a line of `events.jsonl`. One that cannot be read (it may be cut off) says nothing.
    pub fn line(&mut self, line: &[u8]) {
        let is = |event: &[u8]| memmem::find(line, event).is_some();
        if is(b"\"event\":\"step\"") || is(b"\"event\":\"progress\"") {
            let Ok(head) = serde_json::from_slice::<Head<'_>>(line) else { return };
            let place = self.place(&head.node);
            let newest = self.steps.entry(place).or_default();
            newest.clear();
            newest.extend_from_slice(line);
            return;
        }
        let Ok(event) = serde_json::from_slice::<Line<'_>>(line) else { return };
        self.last = time(&event).or(self.last);
        match &*event.event {
            "stopping" => self.stopping = true,
            "summary" => self.ending = serde_json::from_slice(line).ok().map(|lists| self.ending_of(&lists)),
            _ if event.node.is_empty() => {}
            _ => {
                let place = self.place(&event.node);
                if let Some(step) = self.steps.remove(&place) {
                    apply(&mut self.nodes[place], &step);
                }
                take(&mut self.nodes[place], event);
            }
        }
    }

    /// What became of the run so far; `alive`: whether its engine lives.
    pub fn course(&self, alive: bool) -> Course {
        let mut nodes = self.nodes.clone();
        let mut last = self.last;
        for (place, step) in &self.steps {
            let time = apply(&mut nodes[*place], step);
            last = last.into_iter().chain(time).reduce(f64::max);
        }
        let ending = self.ending.unwrap_or(if alive { Ending::Running } else { Ending::Died });
        if ending != Ending::Running {
            for node in nodes.iter_mut().filter(|node| node.status == Status::Running) {
                (node.status, node.ended) = (Status::Died, last);
            }
        }
        Course { ending, ended: last.filter(|_| ending != Ending::Running), nodes }
    }

    /// Whether the run said that it is over.
    pub fn is_over(&self) -> bool {
        self.ending.is_some()
    }

    fn place(&mut self, node: &str) -> usize {
        if let Some(place) = self.places.get(node) {
            return *place;
        }
        self.nodes.push(PastNode::new(node));
        self.places.insert(node.to_owned(), self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// What was skipped although nothing failed and nobody asked to stop was so because the store failed.
    fn ending_of(&self, lists: &Lists) -> Ending {
        let unfinished = !lists.skipped.is_empty() || !lists.interrupted.is_empty();
        match (lists.failed.is_empty(), unfinished) {
            (false, _) => Ending::Failed,
            (true, true) if self.stopping || !lists.interrupted.is_empty() => Ending::Interrupted,
            (true, true) => Ending::Failed,
            (true, false) => Ending::Done,
        }
    }
}

fn time(event: &Line<'_>) -> Option<f64> {
    Utc::parse_rfc3339(&event.time).map(|since| since.as_secs_f64())
}

/// How far a node is; gives the time of the line.
fn apply(node: &mut PastNode, line: &[u8]) -> Option<f64> {
    let event: Line<'_> = serde_json::from_slice(line).ok()?;
    let (done, unit) = if event.event == "step" { (event.step, "steps") } else { (event.done, &*event.unit) };
    node.progress = Some(Progress { done, of: event.of, unit: unit.to_owned() });
    if event.event == "step" {
        let losses = event.losses.iter().filter_map(|(name, loss)| Some((name.clone(), (*loss)?)));
        node.losses = losses.collect();
    }
    time(&event)
}

fn take(node: &mut PastNode, event: Line<'_>) {
    let now = time(&event);
    node.key = event.key.or(node.key);
    node.artifact = event.artifact.or(node.artifact);
    match &*event.event {
        "node_waiting" => node.status = Status::Waiting { holder: event.holder },
        "node_repaired" => node.status = Status::Waiting { holder: None },
        "node_cached" => node.status = Status::Cached,
        "node_started" => {
            node.kind = Some(event.kind.into_owned());
            (node.status, node.started, node.ended) = (Status::Running, node.started.or(now), None);
            (node.attempts, node.progress) = (event.attempt, None);
        }
        "resumed" => node.resumed = Some(event.step),
        "checkpoint" => node.checkpoint = Some(event.step),
        "metric" => drop(event.value.map(|value| node.metrics.insert(event.name.into_owned(), value))),
        "node_skipped" => node.status = Status::Skipped { because: event.because },
        "node_ran" => (node.status, node.ended) = (Status::Ran, now),
        "node_failed" => (node.status, node.ended) = (Status::Failed { message: event.message }, now),
        "node_interrupted" => {
            node.checkpoint = event.checkpoint.or(node.checkpoint);
            (node.status, node.ended) = (Status::Interrupted, now);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(lines: &[&str], alive: bool) -> Course {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.line(line.as_bytes()));
        tally.course(alive)
    }

    const STARTED: &str =
        r#"{"time":"2026-11-30T10:00:00.000Z","event":"node_started","node":"a\"b","kind":"TrainClip","attempt":1}"#;
    const STEP: &str = r#"{"time":"2026-11-30T10:00:09.500Z","node":"a\"b","event":"step","step":20,"of":60,"losses":{"x":0.5,"y":null,"z":0.25}}"#;

    #[test]
    fn a_node_that_runs_is_so_far_and_one_whose_engine_is_gone_was() {
        let running = course(&[STARTED, STEP, "{cut off"], true);
        assert_eq!((running.ending, running.ended), (Ending::Running, None));
        let [node] = &running.nodes[..] else { panic!("{running:?}") };
        assert_eq!((node.name.as_str(), &node.status, node.loss()), ("a\"b", &Status::Running, Some(0.75)));
        assert_eq!(node.progress, Some(Progress { done: 20, of: 60, unit: "steps".to_owned() }));
        let died = course(&[STARTED, STEP], false);
        assert_eq!((died.ending, &died.nodes[0].status), (Ending::Died, &Status::Died));
        assert_eq!(died.nodes[0].seconds(), Some(9.5), "until it was last heard of");
    }

    #[test]
    fn an_interrupted_node_says_where_it_goes_on() {
        let stopped = r#"{"time":"2026-11-30T10:00:10.000Z","event":"node_interrupted","node":"a\"b","checkpoint":19}"#;
        let summary = r#"{"time":"2026-11-30T10:00:11.000Z","event":"summary","ran":[],"cached":[],"failed":[],"skipped":["c"],"interrupted":["a\"b"]}"#;
        let course =
            course(&[STARTED, STEP, r#"{"event":"stopping","now":false,"running":1}"#, stopped, summary], false);
        let node = &course.nodes[0];
        assert_eq!(
            (course.ending, &node.status, node.checkpoint),
            (Ending::Interrupted, &Status::Interrupted, Some(19))
        );
        assert_eq!((node.seconds(), node.progress.as_ref().unwrap().done), (Some(10.0), 20));
    }

    #[test]
    fn what_is_skipped_without_a_reason_in_a_node_is_a_failure_of_the_store() {
        let ending = |lists: &str| course(&[&format!(r#"{{"event":"summary",{lists}}}"#)], false).ending;
        assert_eq!(ending(r#""ran":["a"],"skipped":[]"#), Ending::Done);
        assert_eq!(ending(r#""skipped":["a"]"#), Ending::Failed);
        assert_eq!(ending(r#""failed":["a"],"interrupted":["b"]"#), Ending::Failed);
    }
}
