//! A node of every kind, as one writes it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::scan::scan;
use super::tree::{Entry, Tree};

/// One pipeline with a node of each kind.
pub const EXAMPLES: &str = include_str!("examples.ron");

/// A node of this kind, with its name.
pub fn example(kind: &str) -> Option<&'static str> {
    static BY_KIND: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    BY_KIND.get_or_init(by_kind).get(kind).map(String::as_str)
}

fn by_kind() -> BTreeMap<&'static str, String> {
    let tree = scan(0, EXAMPLES, 0);
    let nodes = tree.as_ref().and_then(|tree| tree.entry("nodes")).and_then(|nodes| nodes.value.entries());
    nodes.into_iter().flatten().filter_map(named).collect()
}

fn named(Entry { key, value }: &Entry) -> Option<(&'static str, String)> {
    let kind = Tree::name(value)?;
    let lines = EXAMPLES[key.span.start..value.span.end].lines();
    // In the file a node is inside two brackets.
    let outdented = lines.map(|line| line.strip_prefix("        ").unwrap_or(line));
    Some((&EXAMPLES[kind.start..kind.end], outdented.collect::<Vec<_>>().join("\n")))
}
