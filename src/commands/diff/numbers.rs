//! Numbers side by side.

use std::collections::BTreeMap;

use hyper_flow_cache::Store;
use hyper_flow_spec::metrics::{METRICS, Metrics, Row};

use super::side::SideNode;
use crate::output::report::ComparedNumber;

/// All that either side has, in the order of the first.
pub(super) fn numbers(a: &SideNode, b: &SideNode, store: &Store) -> Vec<ComparedNumber> {
    let (a, b) = (all(a, store), all(b, store));
    let mut names: Vec<&String> = a.iter().map(|(name, _)| name).collect();
    names.extend(b.iter().map(|(name, _)| name).filter(|name| !a.iter().any(|(other, _)| other == *name)));
    let values: [BTreeMap<&String, f64>; 2] =
        [&a, &b].map(|side| side.iter().map(|(name, value)| (name, *value)).collect());
    let compared = |name: &String| {
        let (a, b) = (values[0].get(name).copied(), values[1].get(name).copied());
        ComparedNumber { name: name.clone(), a, b, difference: a.zip(b).map(|(a, b)| b - a) }
    };
    names.into_iter().map(compared).collect()
}

/// Those of an `Eval`, candidate by candidate, then what else was measured.
fn all(node: &SideNode, store: &Store) -> Vec<(String, f64)> {
    let bytes = node.artifact.and_then(|artifact| store.read(&artifact, METRICS).ok());
    let metrics: Metrics = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let of_eval = metrics.rows.iter().flat_map(of_row);
    of_eval.chain(node.numbers.iter().map(|(name, value)| (name.clone(), *value))).collect()
}

fn of_row(row: &Row) -> impl Iterator<Item = (String, f64)> {
    let steps = row.steps.map_or_else(String::new, |steps| format!(" {steps}"));
    let number =
        move |(name, value): (&String, &Option<f64>)| Some((format!("{}{steps} {name}", row.candidate), (*value)?));
    row.numbers.iter().filter_map(number)
}
