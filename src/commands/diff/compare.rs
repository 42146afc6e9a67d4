//! In what two sides differ.

use std::collections::BTreeSet;

use hyper_flow_cache::{Store, StoreError};

use super::numbers::numbers;
use super::pictures::pictures;
use super::side::{Side, SideNode};
use crate::output::report::{Compared, ComparedNode, ComparedSide, Presence, Setting};
use crate::plan::{Difference, Part, differences};

/// Compares node by node, or the one node of each side.
pub(super) fn compare(a: Side, b: Side, store: &Store) -> Result<Compared, StoreError> {
    let (mut nodes, mut same) = (Vec::new(), 0);
    for (a, b) in pairs(&a, &b) {
        let compared = node(a, b, store)?;
        if compared.differs() { nodes.push(compared) } else { same += 1 }
    }
    Ok(Compared { a: about(&a), b: about(&b), nodes, same })
}

fn about(side: &Side) -> ComparedSide {
    let past = side.run.as_ref();
    ComparedSide {
        label: side.label.clone(),
        run: past.map(|past| past.id.clone()),
        pipeline: past.map(|past| past.asked.name.clone()),
        set: past.map(|past| past.asked.set.clone()).unwrap_or_default(),
        version: past.map(|past| past.asked.version.clone()),
        ending: past.map(|past| past.course.ending),
    }
}

/// By name, in the order of the first side; two nodes that were named are one pair.
fn pairs<'s>(a: &'s Side, b: &'s Side) -> Vec<(Option<&'s SideNode>, Option<&'s SideNode>)> {
    if a.is_node && b.is_node {
        return vec![(a.nodes.first(), b.nodes.first())];
    }
    // A node beside a run is compared with the node of its name there.
    let only: Option<&str> = [a, b].into_iter().find(|side| side.is_node).map(|side| side.nodes[0].name.as_str());
    let find = |side: &'s Side, name: &str| side.nodes.iter().find(|node| node.name == name);
    let mut seen = BTreeSet::new();
    let names = a.nodes.iter().chain(&b.nodes).map(|node| node.name.as_str());
    let names = names.filter(|name| only.is_none_or(|only| only == *name) && seen.insert(*name));
    names.map(|name| (find(a, name), find(b, name))).collect()
}

fn node(a: Option<&SideNode>, b: Option<&SideNode>, store: &Store) -> Result<ComparedNode, StoreError> {
    let name = a.or(b).map(|node| node.name.clone()).unwrap_or_default();
    let presence = match (a, b) {
        (Some(_), None) => Presence::OnlyInA,
        (None, Some(_)) => Presence::OnlyInB,
        _ => Presence::Both,
    };
    let mut compared = ComparedNode {
        named: b.map(|node| node.name.clone()).filter(|other| *other != name),
        name,
        presence,
        settings: Vec::new(),
        inputs: Vec::new(),
        numbers: Vec::new(),
        pictures: Vec::new(),
        artifacts_differ: false,
    };
    let (Some(a), Some(b)) = (a, b) else { return Ok(compared) };
    if let (Some(old), Some(new), false) = (&a.preimage, &b.preimage, a.key.is_some() && a.key == b.key) {
        let (inputs, settings) =
            differences(old, new).into_iter().partition(|found: &Difference| found.part == Part::Inputs);
        compared.settings = told(settings);
        compared.inputs = names_of(inputs);
    }
    compared.artifacts_differ = a.artifact != b.artifact;
    compared.numbers = numbers(a, b, store);
    compared.pictures = pictures(a, b, store)?;
    Ok(compared)
}

fn told(found: Vec<Difference>) -> Vec<Setting> {
    let setting =
        |found: Difference| Setting { place: found.place(), text: found.to_string(), a: found.old, b: found.new };
    found.into_iter().map(setting).collect()
}

/// The ports that take something else, or that one side has not.
fn names_of(found: Vec<Difference>) -> Vec<String> {
    found.iter().map(Difference::place).collect()
}
