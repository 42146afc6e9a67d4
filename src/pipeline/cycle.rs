//! Finds cycles, without recursion: a chain of ten thousand nodes is nothing special.

use super::draft::{Draft, Findings};
use super::nodes::{Reference, Sketch};
use super::references::Index;
use super::words::shorten;

/// As many nodes of a cycle are named; the middle of a longer one is left out.
const NAMED: usize = 12;

/// Tells cycles until none is left: each once, from the node that is written first.
pub(super) fn tell_cycles(sketches: &[Sketch], index: &Index<'_>, findings: &mut Findings) {
    let mut graph = Graph::new(sketches, index);
    graph.strip((0..sketches.len()).collect());
    for start in 0..sketches.len() {
        while graph.alive[start] {
            let cycle = graph.cycle_from(start);
            findings.push(draft(sketches, &graph, &cycle));
            cycle.iter().for_each(|&node| graph.alive[node] = false);
            graph.strip(cycle.iter().flat_map(|&node| graph.neighbours(node)).collect());
        }
    }
}

struct Graph<'a> {
    /// The nodes that each node takes, with the reference that says so.
    takes: Vec<Vec<(usize, &'a Reference)>>,
    /// The nodes that take each node.
    taken_by: Vec<Vec<usize>>,
    /// What may still be in a cycle.
    alive: Vec<bool>,
}

impl<'a> Graph<'a> {
    fn new(sketches: &'a [Sketch], index: &Index<'_>) -> Self {
        let mut taken_by = vec![Vec::new(); sketches.len()];
        let mut takes = Vec::with_capacity(sketches.len());
        for (node, sketch) in sketches.iter().enumerate() {
            let edge = |reference: &'a Reference| Some((*index.get(reference.name.as_str())?, reference));
            let edges: Vec<_> = sketch.references.iter().filter_map(edge).collect();
            edges.iter().for_each(|&(taken, _)| taken_by[taken].push(node));
            takes.push(edges);
        }
        Self { takes, taken_by, alive: vec![true; sketches.len()] }
    }

    fn neighbours(&self, node: usize) -> Vec<usize> {
        self.takes[node].iter().map(|&(taken, _)| taken).chain(self.taken_by[node].iter().copied()).collect()
    }

    /// Takes away what is in no cycle, starting with `work`: nodes that take nothing, or that nothing takes.
    fn strip(&mut self, mut work: Vec<usize>) {
        while let Some(node) = work.pop() {
            let takes = self.takes[node].iter().any(|&(taken, _)| self.alive[taken]);
            let taken = self.taken_by[node].iter().any(|&taker| self.alive[taker]);
            if self.alive[node] && !(takes && taken) {
                self.alive[node] = false;
                work.extend(self.neighbours(node));
            }
        }
    }

    fn next(&self, node: usize) -> Option<(usize, &'a Reference)> {
        self.takes[node].iter().copied().find(|&(taken, _)| self.alive[taken])
    }

    /// Goes from what is taken to what it takes, until a node comes again.
    fn cycle_from(&self, start: usize) -> Vec<usize> {
        let mut position = vec![usize::MAX; self.takes.len()];
        let mut path = Vec::new();
        let mut node = start;
        while position[node] == usize::MAX {
            position[node] = path.len();
            path.push(node);
            // What is alive takes something alive.
            let Some((next, _)) = self.next(node) else { break };
            node = next;
        }
        let mut cycle = path.split_off(position[node]);
        let first = cycle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(i, _)| i);
        cycle.rotate_left(first);
        cycle
    }
}

fn draft(sketches: &[Sketch], graph: &Graph<'_>, cycle: &[usize]) -> Draft {
    let mut names: Vec<String> = cycle.iter().map(|&node| shorten(&sketches[node].name)).collect();
    names.push(names[0].clone());
    if names.len() > NAMED + 1 {
        let left_out = names.len() - NAMED;
        names.splice(NAMED / 2..names.len() - NAMED / 2, [format!("… ({left_out} more) …")]);
    }
    let mut draft = Draft::error(format!("nodes take each other in a cycle: {}", names.join(" → ")));
    for &node in cycle.iter().take(NAMED / 2) {
        if let Some((taken, reference)) = graph.next(node) {
            let text = format!("`{}` takes `{}`", shorten(&sketches[node].name), shorten(&sketches[taken].name));
            draft = draft.at(reference.place, text);
        }
    }
    draft.help("a node can only take what is done before it: take one of these references out")
}
