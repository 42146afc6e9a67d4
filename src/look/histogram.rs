//! How often things come.

use std::collections::BTreeMap;

use serde::Serialize;

/// A thing, and how often it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The thing.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// The most frequent first.
pub(super) fn ranked(counts: BTreeMap<String, u64>) -> Vec<Count> {
    let mut counts: Vec<Count> = counts.into_iter().map(|(what, count)| Count { what, count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
    counts
}
