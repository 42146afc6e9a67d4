//! What a run came to, in a few numbers.

use hyper_flow_cache::{Store, StoreError};
use hyper_flow_spec::metrics::{METRICS, Metrics, NUMBERS, REAL, Row, TEACHER};

use crate::output::report::Final;
use crate::runs::{Past, PastNode};

/// The numbers of the last `Eval` of a run, of the candidate that it names last; without one, the last loss of the training
/// that came last, or else what was measured last.
pub(crate) fn finals(past: &Past, store: &Store) -> Result<Vec<Final>, StoreError> {
    let newest_first = || past.course.nodes.iter().rev();
    for node in newest_first().filter(|node| node.kind.as_deref() == Some("Eval")) {
        if let Some(metrics) = metrics(node, store)? {
            return Ok(of_eval(node, &metrics).into_iter().collect());
        }
    }
    let of = |node: &PastNode, name: &str, value| Final {
        node: node.name.clone(),
        candidate: None,
        name: name.to_owned(),
        steps: Vec::new(),
        values: vec![value],
    };
    let loss = newest_first().find_map(|node| Some(of(node, "loss", node.loss()?)));
    let measured =
        || newest_first().find_map(|node| node.metrics.iter().next().map(|(name, value)| of(node, name, *value)));
    Ok(loss.or_else(measured).into_iter().collect())
}

/// What an `Eval` has measured, if its artifact is still there.
fn metrics(node: &PastNode, store: &Store) -> Result<Option<Metrics>, StoreError> {
    let Some(artifact) = node.artifact else { return Ok(None) };
    match store.read(&artifact, METRICS) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(_) => Ok(None),
    }
}

/// The first number of the table that the candidate has, at each of its step counts.
fn of_eval(node: &PastNode, metrics: &Metrics) -> Option<Final> {
    let last = |is: &dyn Fn(&&Row) -> bool| metrics.rows.iter().rfind(is);
    let candidate = last(&|row| row.candidate != REAL && row.candidate != TEACHER).or_else(|| last(&|_| true))?;
    let rows: Vec<&Row> = metrics.rows.iter().filter(|row| row.candidate == candidate.candidate).collect();
    let name = NUMBERS.iter().map(|number| number.name).find(|name| candidate.number(name).is_some())?;
    Some(Final {
        node: node.name.clone(),
        candidate: Some(candidate.candidate.clone()),
        name: name.to_owned(),
        steps: rows.iter().filter_map(|row| row.steps).collect(),
        values: rows.iter().filter_map(|row| row.number(name)).collect(),
    })
}
