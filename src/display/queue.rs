//! What people are still to be told. It takes no more than so many lines, however long nobody reads: of how far a node is
//! only the newest is kept, and of what nodes say the newest lines.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use hyper_flow_spec::Event as Said;

use super::FEW;
use super::screen::{Backlog, Place};
use crate::run::Event;

/// Lines that are kept for a reader that does not read.
const LINES: usize = 4096;

/// One thing to show.
#[derive(Debug)]
pub(super) enum Item {
    /// What happened.
    Event(Box<Event>),
    /// What is not told any more.
    Missed(Missed),
    /// Cached nodes of so many that they are only counted.
    Cached(Vec<String>),
}

/// What was left out because nobody read for too long.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    /// How many lines.
    pub(super) lines: usize,
    /// Nodes that ended in them.
    pub(super) ended: BTreeSet<String>,
}

/// Events in the order they came, and which of them may go.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    events: BTreeMap<u64, Box<Event>>,
    /// What nodes say, which goes first.
    words: VecDeque<u64>,
    /// How far each node is.
    steps: HashMap<String, u64>,
    /// How many lines there are.
    lines: usize,
    missed: Missed,
    cached: Vec<String>,
    /// Whether there are so many nodes that cached ones are only counted.
    many: bool,
}

/// How long an event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// To the end: results.
    All,
    /// As long as there is room.
    Line,
    /// As long as there is room, and no longer than any other line.
    Word,
    /// Until there is a newer one.
    Step,
    /// It is only counted.
    Count,
    /// Nobody is told.
    Nothing,
}

impl Backlog for Queue {
    type Item = Item;

    fn push(&mut self, event: &Event, _: Place) {
        if let Event::RunStarted { nodes, .. } = event {
            self.many = *nodes > FEW;
        }
        match self.worth(event) {
            Worth::Nothing => return,
            Worth::Count => return self.cached.extend(node(event).map(str::to_owned)),
            Worth::Step => {
                let node = node(event).unwrap_or_default();
                if let Some(waiting) = self.steps.get(node).and_then(|place| self.events.get_mut(place)) {
                    **waiting = event.clone();
                    return;
                }
                self.steps.insert(node.to_owned(), self.next);
            }
            Worth::All => {}
            Worth::Line => self.lines += 1,
            Worth::Word => {
                self.lines += 1;
                self.words.push_back(self.next);
            }
        }
        if ends(event) {
            // What is said of the node from now on is of another attempt.
            node(event).map(|node| self.steps.remove(node));
        }
        self.events.insert(self.next, Box::new(event.clone()));
        self.next += 1;
        if self.lines > LINES {
            self.leave_out();
        }
    }

    fn pop(&mut self) -> Option<Item> {
        if self.missed.lines > 0 {
            return Some(Item::Missed(std::mem::take(&mut self.missed)));
        }
        if !self.cached.is_empty() {
            return Some(Item::Cached(std::mem::take(&mut self.cached)));
        }
        let (place, event) = self.events.pop_first()?;
        match self.worth(&event) {
            Worth::Word => {
                self.lines -= 1;
                self.words.pop_front();
            }
            Worth::Line => self.lines -= 1,
            Worth::Step => self.forget_step(&event, place),
            Worth::All | Worth::Count | Worth::Nothing => {}
        }
        Some(Item::Event(event))
    }
}

impl Queue {
    fn worth(&self, event: &Event) -> Worth {
        match event {
            Event::Shown { .. } | Event::Summary(_) => Worth::All,
            Event::NodeCached { .. } if self.many => Worth::Count,
            Event::Worker { event, .. } => match event {
                Said::Step { .. } | Said::Progress { .. } => Worth::Step,
                Said::Message { .. } | Said::Resumed { .. } | Said::Metric { .. } | Said::Sample { .. } => Worth::Word,
                _ => Worth::Nothing,
            },
            _ => Worth::Line,
        }
    }

    /// The oldest of what nodes say goes, or else the oldest line with all that is older still.
    fn leave_out(&mut self) {
        self.missed.lines += 1;
        self.lines -= 1;
        if let Some(place) = self.words.pop_front() {
            self.events.remove(&place);
            return;
        }
        let line = self.events.iter().find(|(_, event)| self.worth(event) == Worth::Line).map(|(place, _)| *place);
        let Some(line) = line else { return };
        let older: Vec<u64> = self.events.range(..=line).map(|(place, _)| *place).collect();
        for place in older {
            let Some(event) = self.events.remove(&place) else { continue };
            match self.worth(&event) {
                Worth::All => drop(self.events.insert(place, event)),
                Worth::Step => self.forget_step(&event, place),
                _ if ends(&event) => self.missed.ended.extend(node(&event).map(str::to_owned)),
                _ => {}
            }
        }
    }

    fn forget_step(&mut self, event: &Event, place: u64) {
        if let Some(node) = node(event).filter(|node| self.steps.get(*node) == Some(&place)) {
            self.steps.remove(node);
        }
    }
}

/// Whether a process of the node is over.
fn ends(event: &Event) -> bool {
    matches!(
        event,
        Event::NodeRan { .. } | Event::NodeFailed { .. } | Event::NodeInterrupted { .. } | Event::NodeRetried { .. }
    )
}

fn node(event: &Event) -> Option<&str> {
    match event {
        Event::NodeRan { node, .. }
        | Event::NodeFailed { node, .. }
        | Event::NodeInterrupted { node, .. }
        | Event::NodeRetried { node, .. }
        | Event::NodeCached { node, .. }
        | Event::Worker { node, .. } => Some(node),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper_flow_spec::Level;

    use super::*;

    fn step(node: &str, step: u64) -> Event {
        Event::Worker {
            node: node.to_owned(),
            event: Said::Progress { done: step, of: 1_000_000, unit: "x".to_owned() },
        }
    }

    fn started(nodes: usize) -> Event {
        Event::RunStarted { run: String::new(), pipeline: String::new(), nodes, log: "".into() }
    }

    fn stopped(node: usize) -> Event {
        Event::NodeInterrupted { node: node.to_string(), checkpoint: None }
    }

    fn queue(events: impl IntoIterator<Item = Event>) -> Queue {
        let mut queue = Queue::default();
        events.into_iter().for_each(|event| queue.push(&event, None));
        queue
    }

    /// What comes out, as JSON without quotes.
    fn told(mut queue: Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop())
            .map(|item| match item {
                Item::Event(event) => serde_json::to_string(&event).unwrap().replace('"', ""),
                Item::Missed(missed) => format!("missed {} of {:?}", missed.lines, missed.ended),
                Item::Cached(nodes) => format!("cached {nodes:?}"),
            })
            .collect()
    }

    #[test]
    fn the_newest_step_of_a_node_takes_the_place_of_those_before() {
        let all = [step("a", 1), step("b", 1), step("a", 2), stopped(0), step("a", 3)];
        let told = told(queue(all));
        let expected = ["node:a,event:progress,done:3", "node:b,event:progress,done:1", "event:node_interrupted"];
        assert_eq!(told.len(), 3);
        assert!(told.iter().zip(expected).all(|(told, expected)| told.contains(expected)), "{told:?}");
    }

    #[test]
    fn a_step_after_the_end_of_an_attempt_stays_after_it() {
        let again = Event::NodeRetried { node: "a".to_owned(), message: String::new(), left: 1 };
        let told = told(queue([step("a", 1), again, step("a", 2)]));
        assert!(told[0].contains("done:1") && told[1].contains("retried") && told[2].contains("done:2"), "{told:?}");
    }

    #[test]
    fn words_go_before_lines_and_results_never() {
        let words = (0..3 * LINES).map(|i| Event::message("a", Level::Info, i.to_string()));
        let shown = Event::Shown { node: "a".to_owned(), path: "x".into(), text: None, metrics: None };
        let all = [started(1), stopped(7), shown, stopped(8)].into_iter().chain(words).chain([stopped(9)]);
        let told = told(queue(all));
        assert_eq!(told.len(), LINES + 2, "the lines, a result, and how many are missed");
        assert_eq!(told[0], format!("missed {} of {{}}", 2 * LINES + 4));
        let [started, seven, shown, eight, word] = &told[1..6] else { panic!() };
        assert!(started.contains("run_started") && shown.contains("shown"), "{told:?}");
        assert!(seven.contains("node:7") && eight.contains("node:8") && word.contains("text:8196"), "{word}");
        assert!(told.last().unwrap().contains("node:9"));
    }

    #[test]
    fn of_too_many_lines_the_oldest_go_with_what_is_older_still() {
        let mut all = vec![started(1), step("0", 1), stopped(0)];
        all.extend((1..=LINES).map(stopped));
        all.push(step("0", 2));
        let told = told(queue(all));
        assert_eq!((told.len(), told[0].as_str()), (LINES + 2, "missed 2 of {\"0\"}"));
        assert!(told[1].contains("node:1,") && told.last().unwrap().contains("done:2"));
    }

    #[test]
    fn cached_nodes_are_only_counted_if_there_are_many() {
        let digest = hyper_flow_cache::Digest::of(b"");
        let cached =
            || Event::NodeCached { node: "a".to_owned(), key: hyper_flow_cache::Key::derive(b""), artifact: digest };
        assert!(told(queue([started(FEW), cached()]))[1].contains("node_cached"));
        let many = told(queue([started(FEW + 1), cached(), cached()]));
        assert_eq!((many.len(), many[0].as_str()), (2, "cached [\"a\", \"a\"]"));
    }
}
