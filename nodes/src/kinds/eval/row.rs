//! One line of the result.

use std::collections::BTreeMap;

use hyper_flow_diffusion::metrics::Estimate;
use hyper_flow_spec::metrics::{CONFIDENCE, NUMBERS, Row};

/// The numbers of a candidate at a step count, with what they would be of other pictures.
pub(super) struct Measured {
    pub(super) candidate: String,
    pub(super) steps: Option<i64>,
    /// Those that have a meaning, by their names in `metrics.json`.
    pub(super) numbers: BTreeMap<String, Estimate>,
}

impl Measured {
    /// The names of its numbers, in the order of the table.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let known = |name: &str| NUMBERS.iter().any(|number| number.name == name);
        let first = NUMBERS.iter().map(|number| number.name).filter(|name| self.numbers.contains_key(*name));
        first.chain(self.numbers.keys().map(String::as_str).filter(move |name| !known(name)))
    }

    /// As it is written.
    pub(super) fn row(&self) -> Row {
        let intervals = self.numbers.iter().filter_map(|(name, own)| Some((name.clone(), own.interval(CONFIDENCE)?)));
        let mut numbers: BTreeMap<_, _> = NUMBERS.iter().map(|number| (number.name.to_owned(), None)).collect();
        numbers.extend(self.numbers.iter().map(|(name, own)| (name.clone(), Some(own.value))));
        Row { candidate: self.candidate.clone(), steps: self.steps, intervals: intervals.collect(), numbers }
    }
}
