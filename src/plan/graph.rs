//! The nodes that were asked for and all that they need, in an order in which they can run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use super::PlanError;
use crate::pipeline::suggest::instead;
use crate::pipeline::{Node, Pipeline};

/// The selected part of a pipeline. Nodes are numbered in topological order: what a node needs has a
/// smaller number. Among nodes that could come next, the first by name does.
///
/// Nothing in it recurses, so that a chain of any length can be walked.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: DiGraph<String, ()>,
    positions: BTreeMap<String, usize>,
}

impl Graph {
    /// The targets and their ancestors; all nodes when there are no targets.
    pub fn new(pipeline: &Pipeline, targets: &[String]) -> Result<Graph, PlanError> {
        let selected = select(pipeline, targets)?;
        let order = order(&selected);
        let positions: BTreeMap<String, usize> =
            order.iter().enumerate().map(|(position, name)| ((*name).to_owned(), position)).collect();
        let mut nodes = DiGraph::with_capacity(order.len(), 0);
        for name in &order {
            nodes.add_node((*name).to_owned());
        }
        for (name, node) in selected {
            let to = NodeIndex::new(positions[name]);
            for from in distinct_inputs(node) {
                nodes.add_edge(NodeIndex::new(positions[from]), to, ());
            }
        }
        Ok(Graph { nodes, positions })
    }

    /// How many nodes were selected.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether the pipeline has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a node.
    ///
    /// # Panics
    /// If there are not so many nodes.
    pub fn name(&self, index: usize) -> &str {
        &self.nodes[NodeIndex::new(index)]
    }

    /// The number of a node, if it was selected.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The nodes whose artifacts this one takes, each once, ascending.
    pub fn dependencies(&self, index: usize) -> Vec<usize> {
        self.neighbours(index, Direction::Incoming)
    }

    /// The nodes that take this one's artifact, each once, ascending.
    pub fn dependents(&self, index: usize) -> Vec<usize> {
        self.neighbours(index, Direction::Outgoing)
    }

    fn neighbours(&self, index: usize, direction: Direction) -> Vec<usize> {
        let mut found: Vec<usize> =
            self.nodes.neighbors_directed(NodeIndex::new(index), direction).map(NodeIndex::index).collect();
        found.sort_unstable();
        found
    }
}

fn distinct_inputs(node: &Node) -> BTreeSet<&str> {
    node.inputs.values().map(String::as_str).collect()
}

fn select<'a>(pipeline: &'a Pipeline, targets: &'a [String]) -> Result<BTreeMap<&'a str, &'a Node>, PlanError> {
    if targets.is_empty() {
        return Ok(pipeline.nodes.iter().map(|(name, node)| (name.as_str(), node)).collect());
    }
    let mut selected = BTreeMap::new();
    // `"tcd@{seed}"` asks for all nodes that it stands for.
    let all = |target: &'a String| pipeline.swept.get(target).map_or(std::slice::from_ref(target), Vec::as_slice);
    let mut open: Vec<&str> = targets.iter().flat_map(all).map(String::as_str).collect();
    while let Some(name) = open.pop() {
        let (name, node) = pipeline.nodes.get_key_value(name).ok_or_else(|| unknown(pipeline, name))?;
        if selected.insert(name.as_str(), node).is_none() {
            open.extend(node.inputs.values().map(String::as_str));
        }
    }
    Ok(selected)
}

/// Kahn's algorithm, with the ready nodes in order of name.
fn order<'a>(selected: &BTreeMap<&'a str, &'a Node>) -> Vec<&'a str> {
    let mut dependents: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    let mut waiting_for: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ready = BinaryHeap::new();
    for (name, node) in selected {
        let inputs = distinct_inputs(node);
        waiting_for.insert(name, inputs.len());
        if inputs.is_empty() {
            ready.push(Reverse(*name));
        }
        for input in inputs {
            dependents.entry(input).or_default().push(name);
        }
    }
    let mut order = Vec::with_capacity(selected.len());
    while let Some(Reverse(name)) = ready.pop() {
        order.push(name);
        for dependent in dependents.get(name).into_iter().flatten() {
            let open = waiting_for.get_mut(dependent).expect("every dependent is selected");
            *open -= 1;
            if *open == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    assert_eq!(order.len(), selected.len(), "a checked pipeline has no cycle");
    order
}

pub(super) fn unknown(pipeline: &Pipeline, name: &str) -> PlanError {
    let names: Vec<&str> = pipeline.nodes.keys().map(String::as_str).collect();
    let help = instead(name, &names, "nodes");
    PlanError::UnknownNode { name: name.to_owned(), pipeline: pipeline.path.clone(), help }
}
