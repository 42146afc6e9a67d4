//! Findings while they are gathered: they point into [`Sources`] by number.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use miette::Severity;

use super::finding::{Branch, Finding, Label};
use super::source::{Sources, Span};
use super::tree::Place;

/// A [`Finding`] in the making.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<(Span, String)>,
    branch: Option<Branch>,
}

impl Draft {
    /// A mistake.
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), help: None, labels: Vec::new(), branch: None }
    }

    /// Something that is probably not meant.
    pub(super) fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Points at a place; the first one is the place of the finding.
    pub(super) fn at(mut self, place: impl Into<Place>, text: impl Into<String>) -> Self {
        let place = place.into();
        self.labels.push((place.span, text.into()));
        if let Some(param) = place.via {
            self.labels.push((param, "used here".to_owned()));
        }
        self
    }

    /// Says what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.help = (!help.is_empty()).then_some(help);
        self
    }

    /// Says which branch stands where a commit must.
    pub(super) fn branch(mut self, branch: Option<Branch>) -> Self {
        self.branch = branch;
        self
    }

    /// The message without the names and numbers in it.
    fn gist(&self) -> String {
        let outside_quotes = self.message.split('`').step_by(2);
        let text: String = outside_quotes.collect::<Vec<_>>().join("`");
        let text = text.split(": ").next().unwrap_or_default();
        text.chars().filter(|c| !c.is_ascii_digit()).collect()
    }

    /// Says in how many more nodes of a `matrix` it is so.
    fn and_more(mut self, count: usize) -> Self {
        if count > 0 {
            let more = format!("and so for {count} more of the matrix");
            self.help = Some(self.help.map_or(more.clone(), |help| format!("{help}\n{more}")));
        }
        self
    }

    fn place(&self) -> Option<Span> {
        self.labels.first().map(|(span, _)| *span)
    }

    /// A report shows one source: labels in another become lines of the help.
    fn finish(self, sources: &Sources) -> Finding {
        let source = self.place().map(|span| span.source);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.labels.into_iter().partition(|(span, _)| Some(span.source) == source);
        let lines = elsewhere.into_iter().map(|(span, text)| format!("{text}: {}", location(sources, span)));
        let help: Vec<String> = self.help.into_iter().chain(lines).collect();
        Finding {
            severity: self.severity,
            message: self.message,
            help: (!help.is_empty()).then(|| help.join("\n")),
            source: source.map(|source| sources.named(source)),
            labels: here.into_iter().map(|(span, text)| Label { range: span.start..span.end, text }).collect(),
            branch: self.branch,
        }
    }
}

fn location(sources: &Sources, span: Span) -> String {
    let before = &sources.text(span.source)[..span.start];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{}:{line}:{column}", sources.named(span.source).name())
}

/// A mistake in a node of a `matrix` is found in each of the nodes that it stands for: it is told once.
fn once_each(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut first: HashMap<_, usize> = HashMap::with_capacity(drafts.len());
    let mut told: Vec<(Draft, usize)> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let spans: Vec<Span> = draft.labels.iter().map(|(span, _)| *span).collect();
        match first.entry((spans, draft.gist())) {
            Occupied(known) => told[*known.get()].1 += 1,
            Vacant(new) => {
                new.insert(told.len());
                told.push((draft, 0));
            }
        }
    }
    told.into_iter().map(|(draft, more)| draft.and_more(more)).collect()
}

/// Everything that was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Draft>);

impl Findings {
    /// Adds one.
    pub(super) fn push(&mut self, draft: Draft) {
        self.0.push(draft);
    }

    /// How many there are. Suggestions cost a look at every name, so they stop when nobody will read them.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Mistakes, then warnings, each in the order of the sources.
    pub(super) fn finish(mut self, sources: &Sources) -> (Vec<Finding>, Vec<Finding>) {
        self.0.sort_by_key(Draft::place);
        let findings = once_each(self.0).into_iter().map(|draft| draft.finish(sources));
        findings.partition(|finding| finding.severity == Severity::Error)
    }
}
