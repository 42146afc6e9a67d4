//! Names and keys that are given twice: ron would silently take the last.

use std::collections::HashMap;

use super::draft::{Draft, Findings};
use super::source::Span;
use super::tree::{Entry, Shape, Tree};
use super::words::shorten;

/// Tells every repeated field and key inside `tree`, and removes all but the first. `nodes` is the path of
/// the map whose keys are names of nodes.
pub(super) fn tell_repeated(root: &mut Tree, findings: &mut Findings) {
    for entry in first_of_each(root, "field", findings) {
        let what = if entry.key.text == "nodes" { "node" } else { "key" };
        let inside = first_of_each(&mut entry.value, what, findings);
        inside.iter_mut().for_each(|entry| repeated_inside(&mut entry.value, findings));
        if inside.is_empty() {
            repeated_inside(&mut entry.value, findings);
        }
    }
}

/// As [`tell_repeated`], for any value.
pub(super) fn repeated_inside(tree: &mut Tree, findings: &mut Findings) {
    let what = if matches!(tree.shape, Shape::Map(_)) { "key" } else { "field" };
    first_of_each(tree, what, findings);
    tree.children_mut().for_each(|child| repeated_inside(child, findings));
}

fn first_of_each<'t>(tree: &'t mut Tree, what: &str, findings: &mut Findings) -> &'t mut [Entry] {
    let Some(entries) = tree.entries_mut() else { return &mut [] };
    let mut first: HashMap<String, Span> = HashMap::with_capacity(entries.len());
    entries.retain(|Entry { key, .. }| {
        let Some(before) = first.get(&key.text) else {
            first.insert(key.text.clone(), key.span);
            return true;
        };
        let message = match what {
            "node" => format!("two nodes are called `{}`", shorten(&key.text)),
            _ => format!("the {what} `{}` is given twice", shorten(&key.text)),
        };
        let draft = Draft::error(message).at(key.span, "given again").at(*before, "given first");
        findings.push(draft.help(if what == "node" { "rename one of them" } else { "remove one of them" }));
        false
    });
    entries
}
