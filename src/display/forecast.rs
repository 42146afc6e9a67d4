//! How long a run will yet take, by what its nodes took in earlier runs.

use std::collections::BTreeMap;

use hyper_flow_cache::Store;
use serde_json::Value;

use crate::pipeline::Pipeline;
use crate::plan::{Plan, Provenance};
use crate::run::Machine;
use crate::runs::{LastKeys, Origin};
use crate::worker;

/// What a run has before it. Made without reading anything, for the run waits for that.
#[derive(Debug)]
pub(crate) struct Forecast {
    store: Store,
    origin: Origin,
    threads: usize,
    /// The nodes that are not cached, each after those it needs.
    nodes: Vec<Ahead>,
    /// Seconds, and for how much work, by kind.
    rates: BTreeMap<&'static str, (f64, f64)>,
}

/// A node that is to run.
#[derive(Debug)]
struct Ahead {
    name: String,
    kind: &'static str,
    /// How much of what it does: the steps of a training, else 1.
    work: f64,
    threads: usize,
    /// The nodes that it needs, by their place in the list.
    needs: Vec<usize>,
    /// What it took the last time, if it had as much to do.
    past: Option<f64>,
}

/// How long it will yet take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Left {
    /// Nothing is known.
    Unknown,
    /// And longer, for of some nodes nothing is known.
    AtLeast(f64),
    /// All is known.
    About(f64),
}

impl Forecast {
    /// Of a plan that is carried out on this machine.
    pub(crate) fn new(pipeline: &Pipeline, plan: &Plan, store: &Store, machine: &Machine) -> Forecast {
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut nodes = Vec::new();
        for (index, planned) in plan.nodes.iter().enumerate().filter(|(_, planned)| planned.record.is_none()) {
            let node = &pipeline.nodes[&planned.name];
            let needs = plan.graph.dependencies(index);
            places.insert(index, nodes.len());
            nodes.push(Ahead {
                name: planned.name.clone(),
                kind: planned.kind,
                work: work(&node.kind.value().to_key()),
                threads: worker::threads(&node.settings),
                needs: needs.iter().filter_map(|needed| places.get(needed).copied()).collect(),
                past: None,
            });
        }
        let origin = Origin::of(&pipeline.path, store);
        Forecast { store: store.clone(), origin, threads: machine.threads, nodes, rates: BTreeMap::new() }
    }

    /// Looks up what the nodes took before. What cannot be read is not known.
    pub(super) fn remember(&mut self) {
        let last = LastKeys::of_origin(self.origin.clone(), &self.store);
        for node in &mut self.nodes {
            let Ok(Some(key)) = last.get(&node.name) else { continue };
            let made = self.store.record(&key).ok().flatten().and_then(|record| Provenance::of(&record));
            let Some(made) = made.filter(|made| made.kind == node.kind) else { continue };
            let preimage = self.store.preimage(&key).ok().flatten().unwrap_or_default();
            let preimage: Value = serde_json::from_slice(&preimage).unwrap_or_default();
            let work = work(&preimage["params"]);
            node.past = Some(made.seconds / work * node.work);
            add(&mut self.rates, node.kind, made.seconds, work);
        }
    }

    /// A node took so many seconds.
    pub(super) fn ran(&mut self, node: &str, seconds: f64) {
        if let Some(node) = self.nodes.iter().find(|ahead| ahead.name == node) {
            add(&mut self.rates, node.kind, seconds, node.work);
        }
    }

    /// How long the run will yet take: as long as the longest chain of what is not `over`, or as all of it on all threads of
    /// the machine, whichever is longer. `running` tells the seconds that a node has yet to run, if it knows, and has run.
    pub(super) fn left(
        &self,
        over: impl Fn(&str) -> bool,
        running: impl Fn(&str) -> Option<(Option<f64>, f64)>,
    ) -> Left {
        let (mut known, mut unknown, mut all) = (false, false, 0.0);
        let mut ends: Vec<f64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let seconds = if over(&node.name) { Some(0.0) } else { self.of(node, running(&node.name)) };
            (known, unknown) = (known || seconds.is_some_and(|left| left > 0.0), unknown || seconds.is_none());
            let seconds = seconds.unwrap_or(0.0);
            all += seconds * node.threads.min(self.threads) as f64;
            ends.push(node.needs.iter().map(|needed| ends[*needed]).fold(0.0, f64::max) + seconds);
        }
        let left = ends.into_iter().fold(all / self.threads.max(1) as f64, f64::max);
        match (known, unknown) {
            (false, _) => Left::Unknown,
            (true, true) => Left::AtLeast(left),
            (true, false) => Left::About(left),
        }
    }

    fn of(&self, node: &Ahead, running: Option<(Option<f64>, f64)>) -> Option<f64> {
        let rate = || self.rates.get(node.kind).map(|(seconds, work)| seconds / work * node.work);
        let (left, lived) = running.unwrap_or((None, 0.0));
        left.or_else(|| node.past.or_else(rate).map(|all| (all - lived).max(0.0)))
    }
}

fn add(rates: &mut BTreeMap<&'static str, (f64, f64)>, kind: &'static str, seconds: f64, work: f64) {
    let (all, of) = rates.entry(kind).or_default();
    (*all, *of) = (*all + seconds, *of + work);
}

fn work(params: &Value) -> f64 {
    params["steps"].as_f64().filter(|steps| *steps > 0.0).unwrap_or(1.0)
}

/// Seconds as roughly as they are known: `10 s`, `50 s`, `3 min`, `2 h 10 min`.
pub(super) fn about(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        ..55.0 => format!("{} s", ((seconds / 10.0).ceil() as u64).max(1) * 10),
        ..3570.0 => format!("{} min", minutes.max(1)),
        _ if minutes < 600 => format!("{} h {} min", minutes / 60, minutes % 60 / 10 * 10).replace(" 0 min", ""),
        _ => format!("{} h", (minutes + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(name: &str, work: f64, threads: usize, needs: &[usize], past: Option<f64>) -> Ahead {
        Ahead { name: name.to_owned(), kind: "TrainClip", work, threads, needs: needs.to_vec(), past }
    }

    fn forecast(nodes: Vec<Ahead>) -> (tempfile::TempDir, Forecast) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let origin = Origin::of(&dir.path().join("p.ron"), &store);
        (dir, Forecast { store, origin, threads: 2, nodes, rates: BTreeMap::new() })
    }

    #[test]
    fn the_longest_chain_or_all_work_is_what_it_takes() {
        let chain = vec![ahead("a", 1.0, 1, &[], Some(60.0)), ahead("b", 1.0, 1, &[0], Some(30.0))];
        let (_dir, forecast) = forecast(chain);
        let left =
            |over: &str, running| forecast.left(|node| node == over, |node| if node == "a" { running } else { None });
        assert_eq!(left("", None), Left::About(90.0), "one after the other");
        assert_eq!(left("a", None), Left::About(30.0));
        assert_eq!(left("", Some((None, 45.0))), Left::About(45.0), "it has run for a while");
        assert_eq!(left("", Some((Some(7.0), 45.0))), Left::About(37.0), "its steps tell more");
        let (_dir, wide) = self::forecast((0..8).map(|i| ahead(&i.to_string(), 1.0, 2, &[], Some(10.0))).collect());
        assert_eq!(wide.left(|_| false, |_| None), Left::About(80.0), "each takes the whole machine");
    }

    #[test]
    fn a_node_that_never_ran_takes_what_its_kind_does() {
        let nodes = vec![ahead("a", 100.0, 1, &[], None), ahead("b", 300.0, 1, &[0], None)];
        let (_dir, mut forecast) = forecast(nodes);
        assert_eq!(forecast.left(|_| false, |_| None), Left::Unknown);
        assert_eq!(forecast.left(|_| false, |node| (node == "a").then_some((Some(5.0), 1.0))), Left::AtLeast(5.0));
        forecast.ran("a", 20.0);
        assert_eq!(forecast.left(|node| node == "a", |_| None), Left::About(60.0));
    }

    #[test]
    fn times_are_rough() {
        let shown = [0.0, 1.0, 31.0, 54.0, 56.0, 100.0, 3540.0, 3600.0, 9400.0, 90_000.0].map(about);
        assert_eq!(shown, ["10 s", "10 s", "40 s", "60 s", "1 min", "2 min", "59 min", "1 h", "2 h 30 min", "25 h"]);
    }
}
