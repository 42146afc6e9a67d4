//! From a name to where it is defined and used, and to another name.

use std::ops::Range;

use super::hover::{axis_at, touches};
use super::names::{Definition, Names, Sort, Use};
use super::outline::outline;
use super::pattern::{filled, holes};

/// What the name under the cursor is.
enum Named<'n, 'v> {
    Node(&'n Definition<'v>),
    Param(&'n Definition<'v>),
    Use(&'n Use),
}

/// The bytes of all places where what is under the cursor is defined.
pub(super) fn definitions(text: &str, byte: usize) -> Vec<Range<usize>> {
    let Some(root) = outline(text) else { return Vec::new() };
    let names = Names::of(text, &root);
    let axis = axis_at(text, byte).and_then(|axis| names.axes.iter().find(|other| other.name == text[axis.clone()]));
    let found = match (named(&names, byte), axis) {
        // A name that is used leads to what has that name, whichever piece of it is asked about.
        (Some(Named::Use(_)), _) | (_, None) => defined(&names, byte),
        (_, Some(axis)) => vec![axis],
    };
    found.into_iter().map(|definition| definition.range.clone()).collect()
}

/// The bytes of all places where what is under the cursor is used, and, if that is wanted, defined.
pub(super) fn references(text: &str, byte: usize, with_definition: bool) -> Vec<Range<usize>> {
    let Some(root) = outline(text) else { return Vec::new() };
    let names = Names::of(text, &root);
    let mut found: Vec<Range<usize>> = Vec::new();
    for definition in defined(&names, byte) {
        found.extend(with_definition.then(|| definition.range.clone()));
        found.extend(uses_of(&names, definition).map(|used| used.range.clone()));
    }
    found.sort_by_key(|range| range.start);
    found.dedup();
    found
}

/// The name that can be changed, and its bytes without quotes.
pub(super) fn renamable(text: &str, byte: usize) -> Option<(String, Range<usize>)> {
    let root = outline(text)?;
    let names = Names::of(text, &root);
    let range = match named(&names, byte)? {
        Named::Node(definition) | Named::Param(definition) => definition.range.clone(),
        Named::Use(used) => used.range.clone(),
    };
    let definition = only(&names, byte)?;
    let is_quoted = text[range.clone()].starts_with('"');
    Some((definition.name.clone(), if is_quoted { range.start + 1..range.end - 1 } else { range }))
}

/// The edits that give what is under the cursor another name: its bytes, and what is written there.
///
/// # Errors
/// Why it cannot have that name.
pub(super) fn rename(text: &str, byte: usize, name: &str) -> Result<Vec<(Range<usize>, String)>, String> {
    let root = outline(text).ok_or("there is no pipeline here")?;
    let names = Names::of(text, &root);
    let definition = only(&names, byte).ok_or("no node and no parameter of this file is named here")?;
    is_possible(&names, definition, name)?;
    let own = (definition.range.clone(), quoted(name));
    let others =
        uses_of(&names, definition).map(|used| (used.range.clone(), quoted(&renamed(&names, definition, used, name))));
    Ok(std::iter::once(own).chain(others).collect())
}

fn is_possible(names: &Names<'_>, definition: &Definition<'_>, name: &str) -> Result<(), String> {
    let is_node = names.nodes.iter().any(|node| node.range == definition.range);
    let others =
        || names.nodes.iter().chain(&names.params).chain(&names.axes).filter(|other| other.range != definition.range);
    let is_axis = names.axes.iter().any(|axis| axis.range == definition.range);
    let sorted = |mut holes: Vec<&str>| -> Vec<String> {
        holes.retain(|hole| names.axes.iter().any(|axis| axis.name == *hole));
        holes.sort_unstable();
        holes.into_iter().map(str::to_owned).collect()
    };
    match name {
        "" | "*" => Err("this cannot be a name".to_owned()),
        _ if is_axis => Err("an axis is named inside other texts, too: change it by hand".to_owned()),
        name if name.chars().any(char::is_control) => Err("a name has no control characters".to_owned()),
        name if is_node && names.nodes.iter().any(|node| node.name == name && node.range != definition.range) => {
            Err(format!("there is a node `{name}` already"))
        }
        name if !is_node && others().any(|other| other.name == name) => {
            Err(format!("there is a parameter, an axis or a node `{name}` already"))
        }
        name if is_node && sorted(holes(name)) != sorted(names.axes_of(definition)) => {
            let axes =
                names.axes_of(definition).iter().map(|axis| format!("`{{{axis}}}`")).collect::<Vec<_>>().join(", ");
            let has = if axes.is_empty() { "no axis".to_owned() } else { axes };
            Err(format!("`{}` has {has} in its name, and the new one must have the same", definition.name))
        }
        _ => Ok(()),
    }
}

/// The new name at a place that may name only some of the nodes of a template: `tcd@{seed}` of `{arm}@{seed}`.
fn renamed(names: &Names<'_>, definition: &Definition<'_>, used: &Use, name: &str) -> String {
    match names.fills(definition, &used.name) {
        Some(fills) if used.sort == Sort::Node => filled(name, &definition.name, &fills),
        _ => name.to_owned(),
    }
}

fn named<'n, 'v>(names: &'n Names<'v>, byte: usize) -> Option<Named<'n, 'v>> {
    let is_here = |range: &Range<usize>| touches(range, byte);
    let node = names.nodes.iter().find(|node| is_here(&node.range)).map(Named::Node);
    let param = || names.params.iter().chain(&names.axes).find(|param| is_here(&param.range)).map(Named::Param);
    let used = || names.uses.iter().find(|used| is_here(&used.range)).map(Named::Use);
    node.or_else(param).or_else(used)
}

fn defined<'n, 'v>(names: &'n Names<'v>, byte: usize) -> Vec<&'n Definition<'v>> {
    match named(names, byte) {
        Some(Named::Node(definition) | Named::Param(definition)) => vec![definition],
        Some(Named::Use(used)) => match used.sort {
            Sort::Node => names.nodes_of(&used.name),
            Sort::Param => names.param_of(&used.name).into_iter().collect(),
        },
        None => Vec::new(),
    }
}

/// The definition of a name that means one thing.
fn only<'n, 'v>(names: &'n Names<'v>, byte: usize) -> Option<&'n Definition<'v>> {
    match defined(names, byte)[..] {
        [one] => Some(one),
        _ => None,
    }
}

fn uses_of<'n>(names: &'n Names<'_>, definition: &'n Definition<'_>) -> impl Iterator<Item = &'n Use> {
    names.uses.iter().filter(move |used| {
        let found = match used.sort {
            Sort::Node => names.nodes_of(&used.name),
            Sort::Param => names.param_of(&used.name).into_iter().collect(),
        };
        found.iter().any(|other| other.range == definition.range)
    })
}

fn quoted(name: &str) -> String {
    // Serialising a string cannot fail.
    ron::to_string(name).unwrap_or_default()
}

/// A node, by its name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeName {
    /// Its name.
    pub(crate) name: String,
    /// The name of its kind, as it is written.
    pub(crate) kind: String,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeAt {
    /// Its name and kind.
    pub(crate) named: NodeName,
    /// All of its bytes.
    pub(crate) whole: Range<usize>,
    /// Those of its name.
    pub(crate) own: Range<usize>,
}

/// Every node of a text, in the order of the file.
pub(crate) fn nodes(text: &str) -> Vec<NodeAt> {
    let Some(root) = outline(text) else { return Vec::new() };
    let names = Names::of(text, &root);
    let end = |node: &Definition<'_>| node.item.value.as_ref().map_or(node.range.end, |value| value.range.end);
    let node = |node: &Definition<'_>| NodeAt {
        named: NodeName { name: node.name.clone(), kind: names.kind(node).unwrap_or_default().to_owned() },
        whole: node.range.start..end(node),
        own: node.range.clone(),
    };
    names.nodes.iter().map(node).collect()
}

/// `params.NAME` and `matrix.NAME`, of all that a text has.
pub(crate) fn params(text: &str) -> Vec<String> {
    let Some(root) = outline(text) else { return Vec::new() };
    let names = Names::of(text, &root);
    let params = names.params.iter().map(|param| format!("params.{}", param.name));
    params.chain(names.axes.iter().map(|axis| format!("matrix.{}", axis.name))).collect()
}
