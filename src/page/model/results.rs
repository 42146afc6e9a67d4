//! What was measured.

use hyper_flow_cache::Store;
use hyper_flow_spec::Artifact;
use hyper_flow_spec::metrics::{METRICS, Metrics, lower_is_better};
use serde::Serialize;
use serde_json::Value;

use super::node::Node;

/// The results of one node; what it has none of is left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Results {
    /// The node.
    pub node: String,
    /// Of an `Eval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Those of its numbers of which less is better.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lower: Vec<String>,
    /// The checks of a `Gate`: `gate.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Value>,
    /// The means of a `Summary`: `summary.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Value>,
    /// Other numbers of its artifact: `guard.json` of a training on rewards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Value>,
}

impl Results {
    /// Of a node whose artifact is there; `None` if it holds no numbers.
    pub(super) fn of(node: &Node, store: &Store) -> Option<Results> {
        let artifact = node.made.as_ref()?.artifact.parse().ok()?;
        let json = |path: &str| serde_json::from_slice::<Value>(&store.read(&artifact, path).ok()?).ok();
        let has = |path: &str| node.made.as_ref().is_some_and(|made| made.files.iter().any(|(name, _)| name == path));
        let mut results = Results { node: node.name.clone(), ..Results::default() };
        match node.kind.as_str() {
            "Gate" => results.checks = json("gate.json"),
            "Summary" => results.summary = json("summary.json"),
            _ if node.yields(Artifact::Metrics) => {
                let metrics: Metrics = serde_json::from_value(json(METRICS)?).ok()?;
                results.lower = lower(&metrics);
                results.metrics = Some(metrics);
            }
            _ if has("guard.json") => results.guard = json("guard.json"),
            _ => {}
        }
        if results.summary.is_some() {
            results.lower = hyper_flow_spec::metrics::NUMBERS
                .iter()
                .map(|number| number.name.to_owned())
                .filter(|name| lower_is_better(name))
                .collect();
        }
        let some = results.metrics.is_some()
            || results.checks.is_some()
            || results.summary.is_some()
            || results.guard.is_some();
        some.then_some(results)
    }
}

fn lower(metrics: &Metrics) -> Vec<String> {
    let names = metrics.rows.iter().flat_map(|row| row.numbers.keys());
    let names: std::collections::BTreeSet<&String> = names.filter(|name| lower_is_better(name)).collect();
    names.into_iter().cloned().collect()
}
