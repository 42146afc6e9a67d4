//! Events as lines for people.

use std::time::Duration;

use hyper_flow_spec::{Event as Said, Level};

use super::queue::Missed;
use crate::output::harmless;
use crate::output::units::{bytes, count, memory, number, seconds};
use crate::run::{Event, Summary};

/// What a line is about, in the first column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

/// One line, and more below it if there is more to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) verb: &'static str,
    pub(super) node: String,
    pub(super) text: String,
    pub(super) below: Vec<String>,
}

impl Line {
    fn new(tone: Tone, verb: &'static str, node: &str, text: impl Into<String>) -> Line {
        Line { tone, verb, node: node.to_owned(), text: text.into(), below: Vec::new() }
    }

    /// For a terminal with or without colours. Nothing that a node is called or says does anything to it.
    pub(super) fn render(&self, color: bool) -> String {
        let code = match self.tone {
            Tone::Plain => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "1;31",
        };
        let verb = format!("{:>11}", self.verb);
        let verb = if color { format!("\x1b[{code}m{verb}\x1b[0m") } else { verb };
        let gap = if self.text.is_empty() || self.node.is_empty() { "" } else { "  " };
        let mut text = format!("{verb}  {}{gap}{}", harmless(&self.node, false), indented(&self.text));
        for line in &self.below {
            text.push_str("\n             ");
            text.push_str(&indented(line));
        }
        text
    }
}

fn indented(text: &str) -> String {
    harmless(text, false).replace('\n', "\n             ")
}

/// That nobody read for too long.
pub(super) fn missed(missed: &Missed) -> Line {
    let text = format!(
        "{} left out, which nobody read in time; the log of the run has all",
        count(missed.lines as u64, "line")
    );
    Line::new(Tone::Warning, "missed", "", text)
}

/// What a person is told at once. Steps and progress are shown otherwise, results at the end.
pub(super) fn line(event: &Event) -> Option<Line> {
    let line = match event {
        Event::RunStarted { run, pipeline, nodes, .. } => {
            Line::new(Tone::Plain, "run", "", format!("{run}: {}, {}", pipeline, count(*nodes as u64, "node")))
        }
        Event::NodeWaiting { node, holder } => {
            Line::new(Tone::Plain, "waiting", node, format!("for {holder}, which works on the same"))
        }
        Event::NodeCached { node, .. } => Line::new(Tone::Plain, "cached", node, ""),
        Event::NodeStarted { node, kind, threads, gpus, attempt, reason, .. } => {
            Line::new(Tone::Plain, "started", node, started(kind, *threads, gpus, *attempt, reason.as_deref()))
        }
        Event::NodeRetried { node, message, left } => {
            Line::new(Tone::Warning, "again", node, format!("{message}; {} left", count(u64::from(*left), "attempt")))
        }
        Event::NodeRan { node, bytes: size, files, seconds: taken, memory: had, .. } => {
            let mut text = format!("{}, {} in {}", count(*files, "file"), bytes(*size), seconds(*taken));
            text.extend(had.map(|had| format!(" with {}", memory(had))));
            Line::new(Tone::Good, "done", node, text)
        }
        Event::NodeFailed { node, message, output, log } => failed(node, message, output.as_deref(), log.as_deref()),
        Event::NodeInterrupted { node, checkpoint } => Line::new(Tone::Warning, "stopped", node, stopped(*checkpoint)),
        Event::NodeSkipped { node, because } => Line::new(Tone::Plain, "skipped", node, because),
        Event::NodeRepaired { node, message } => Line::new(Tone::Warning, "again", node, message),
        Event::Stopping { now: false, running } => {
            let text = format!("{} to stop; Ctrl-C once more kills", count(*running as u64, "node"));
            Line::new(Tone::Warning, "stopping", "", format!("waiting for {text}"))
        }
        Event::Stopping { now: true, .. } => Line::new(Tone::Warning, "stopping", "", "killing what still runs"),
        Event::Warning { message } => Line::new(Tone::Warning, "warning", "", message),
        Event::Worker { node, event } => return said(node, event),
        Event::Shown { .. } | Event::Summary(_) => return None,
    };
    Some(line)
}

fn said(node: &str, event: &Said) -> Option<Line> {
    Some(match event {
        Said::Message { level: Level::Info, text } => Line::new(Tone::Plain, "says", node, text),
        Said::Message { level: Level::Warning, text } => Line::new(Tone::Warning, "warning", node, text),
        Said::Resumed { step } => Line::new(Tone::Plain, "goes on", node, format!("after step {step}")),
        Said::Metric { name, value } => Line::new(Tone::Plain, "measured", node, format!("{name} {}", number(*value))),
        // What an error says comes again with the failure.
        _ => return None,
    })
}

fn failed(node: &str, message: &str, output: Option<&str>, log: Option<&std::path::Path>) -> Line {
    let mut line = Line::new(Tone::Bad, "failed", node, message);
    line.below.extend(output.into_iter().flat_map(str::lines).map(|text| format!("| {text}")));
    line.below.extend(log.map(|path| format!("log: {}", path.display())));
    line
}

fn started(kind: &str, threads: usize, gpus: &[String], attempt: u32, reason: Option<&str>) -> String {
    let mut text = format!("{kind}, {}", count(threads as u64, "thread"));
    if !gpus.is_empty() {
        text.push_str(&format!(", GPU {}", gpus.join(", ")));
    }
    if attempt > 1 {
        text.push_str(&format!(", attempt {attempt}"));
    }
    text.extend(reason.map(|reason| format!(": {reason}")));
    text
}

fn stopped(checkpoint: Option<u64>) -> String {
    checkpoint.map_or_else(String::new, |step| format!("the next run goes on after step {step}"))
}

/// A step of a training: `120/1200  loss 0.1234  64 samples/s  1 min 5 s left`.
pub(super) fn step(event: &Said, left: Option<Duration>) -> Option<String> {
    let mut parts = match event {
        Said::Step { step, of, losses, speed, .. } => {
            let total: f64 = losses.values().sum();
            let mut parts = vec![format!("{step}/{of}"), format!("loss {}", number(total))];
            parts.extend(speed.map(|speed| format!("{} samples/s", number(speed))));
            parts
        }
        Said::Progress { done, of, unit } if unit == "bytes" => vec![format!("{} of {}", bytes(*done), bytes(*of))],
        Said::Progress { done, of, unit } => vec![format!("{done}/{of} {}", harmless(unit, false))],
        _ => return None,
    };
    parts.extend(left.map(|left| format!("{} left", seconds(left.as_secs_f64()))));
    Some(parts.join("  "))
}

/// What the run came to, in one line.
pub(super) fn summary(summary: &Summary) -> String {
    let Summary { ran, cached, failed, skipped, interrupted } = summary;
    let ended_well = failed.is_empty() && skipped.is_empty() && interrupted.is_empty();
    if ran.is_empty() && ended_well {
        return match cached.len() {
            0 => "nothing to run: the pipeline has no nodes".to_owned(),
            1 => "nothing ran: the one node is cached".to_owned(),
            all => format!("nothing ran: all {all} nodes are cached"),
        };
    }
    let lists =
        [(ran, "ran"), (cached, "cached"), (failed, "failed"), (skipped, "skipped"), (interrupted, "interrupted")];
    let said = lists.iter().filter(|(list, _)| !list.is_empty()).map(|(list, word)| format!("{} {word}", list.len()));
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_output_below() {
        let line = failed("a", "it exited with code 3", Some("one\ntwo"), None);
        assert_eq!(line.render(false), "     failed  a  it exited with code 3\n             | one\n             | two");
    }

    #[test]
    fn summaries() {
        let names = |count: usize| (0..count).map(|i| i.to_string()).collect::<Vec<_>>();
        let nothing = Summary { cached: names(3), ..Summary::default() };
        assert_eq!(summary(&nothing), "nothing ran: all 3 nodes are cached");
        let some = Summary { ran: names(2), failed: names(1), skipped: names(4), ..Summary::default() };
        assert_eq!(summary(&some), "2 ran, 1 failed, 4 skipped");
    }
}
