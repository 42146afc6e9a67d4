//! Events as lines for people.

use hyper_flow_spec::{Event as Said, Level};
use textwrap::{WordSeparator, WordSplitter, WrapAlgorithm};

use super::known::Known;
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
        self.render_within(color, usize::MAX)
    }

    /// The same, broken between words where there are more columns than these.
    pub(super) fn render_within(&self, color: bool, columns: usize) -> String {
        let code = match self.tone {
            Tone::Plain => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "1;31",
        };
        let verb = format!("{:>11}", self.verb);
        let verb = if color { format!("\x1b[{code}m{verb}\x1b[0m") } else { verb };
        let gap = if self.text.is_empty() || self.node.is_empty() { "" } else { "  " };
        let text = format!("{}{gap}{}", self.node, self.text);
        let lines = std::iter::once(&text).chain(&self.below).map(|line| indented(line, columns));
        format!("{verb}  {}", lines.collect::<Vec<_>>().join(INDENT))
    }
}

/// A line feed, and what is below the verbs.
const INDENT: &str = "\n             ";

/// Below its first line everything is indented. Words that have no room in a line stay whole: they may be paths.
fn indented(text: &str, columns: usize) -> String {
    let text = harmless(text, false);
    let width = columns.saturating_sub(INDENT.len() - 1).max(INDENT.len());
    let options = textwrap::Options::new(width).break_words(false).word_separator(WordSeparator::AsciiSpace);
    let options = options.word_splitter(WordSplitter::NoHyphenation).wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = text.split('\n').flat_map(|line| match columns {
        usize::MAX => vec![line.into()],
        _ => textwrap::wrap(line, &options),
    });
    lines.collect::<Vec<_>>().join(INDENT)
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
pub(super) fn line(event: &Event, known: &Known) -> Option<Line> {
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
            text.extend(known.loss(node).map(|loss| format!(", last loss {}", number(loss))));
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
        Event::Changed { message } => Line::new(Tone::Warning, "changed", "", message),
        Event::Warning { message } => Line::new(Tone::Warning, "warning", "", message),
        Event::Worker { node, event: Said::Sample { step, path } } => {
            Line::new(Tone::Plain, "drew", node, format!("after step {step}: {}", known.sample(node, path).display()))
        }
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
