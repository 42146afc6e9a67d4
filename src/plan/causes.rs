//! Why a node will run, down to the fields and files in which all began.

use std::collections::BTreeSet;

use hyper_flow_cache::{Key, Store, StoreError};
use serde::Serialize;
use serde_json::Value;

use super::going_on;
use super::history::{History, Last};
use super::reason::tell;
use super::{Difference, Part, Plan, Planned, State};
use crate::pipeline::{Node, Pipeline};
use crate::runs::LastKeys;

/// Something in which a node differs from its last record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// Where: `params.steps`, `inputs.student`.
    pub place: String,
    /// In words: `params.steps: 200 → 300`.
    pub text: String,
    /// The value before, of a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value now, of a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// The node that goes into the port, of an input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Where the change of an input began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Root>,
}

/// Where a change began: something in a node that follows from no input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Root {
    /// The node.
    pub node: String,
    /// In words: `params.steps: 150 → 200`, `never ran`.
    pub text: String,
}

/// In what a node differs from its last record, its inputs followed to where the change began. Empty for a
/// node that is cached, never ran, or lost its artifact.
pub fn causes(pipeline: &Pipeline, store: &Store, plan: &Plan, node: &Node) -> Result<Vec<Cause>, StoreError> {
    let keys = LastKeys::of(pipeline, store);
    let history = History::new(pipeline, store, &keys);
    let finder = Finder { history: &history, plan };
    let cached = plan.get(&node.name).is_none_or(|planned| planned.state == State::Cached);
    match history.last(&node.name)? {
        Some(last) if !cached => finder.causes(node, &last),
        _ => Ok(Vec::new()),
    }
}

struct Finder<'a> {
    history: &'a History<'a>,
    plan: &'a Plan,
}

/// In what a node differs from a record.
struct Changes<'n> {
    /// In itself: fields, files, and ports that are new, gone, or take another node.
    own: Vec<Difference>,
    /// The ports whose artifact is or may become another one, with the key it had.
    inputs: Vec<(&'n str, Option<Key>)>,
}

/// A node to look at, and what it was when its artifact was last used.
struct Open<'a> {
    node: &'a str,
    before: Option<Key>,
}

impl<'a> Finder<'a> {
    fn causes(&self, node: &Node, last: &Last) -> Result<Vec<Cause>, StoreError> {
        let Changes { own, inputs } = self.changes(node, last)?;
        let begins = going_on::begins(self.history, self.plan, node, &own)?.filter(|_| inputs.is_empty());
        let own = own.into_iter().map(|difference| self.field(node, last, difference));
        let inputs = inputs.into_iter().map(|(port, before)| self.input(node, port, before));
        let mut causes: Vec<Cause> = own.chain(inputs).collect::<Result<_, _>>()?;
        if let (Some(begins), [only]) = (begins, causes.as_mut_slice()) {
            only.text = format!("{}; {begins}", only.text);
        }
        Ok(causes)
    }

    fn field(&self, node: &Node, last: &Last, difference: Difference) -> Result<Cause, StoreError> {
        Ok(Cause {
            place: difference.place(),
            text: tell(self.history, node, last, &difference)?,
            old: difference.old,
            new: difference.new,
            node: None,
            because: Vec::new(),
        })
    }

    fn input(&self, node: &Node, port: &str, before: Option<Key>) -> Result<Cause, StoreError> {
        let name = &node.inputs[port];
        let because = self.roots(name, before)?;
        let place = place(port);
        let text = format!("{place}: {name} changed because {}", list(name, &because));
        Ok(Cause { place, text, old: None, new: None, node: Some(name.clone()), because })
    }

    fn changes<'n>(&self, node: &'n Node, last: &Last) -> Result<Changes<'n>, StoreError> {
        let mut own = Vec::new();
        let mut followed = BTreeSet::new();
        for difference in self.history.differences(self.plan, node, last)? {
            if self.is_in_its_node(node, &difference, last)? {
                followed.insert(difference.path);
            } else {
                own.push(difference);
            }
        }
        let told = |port: &str| own.iter().any(|told| told.part == Part::Inputs && told.path == port);
        let pending = |name: &str| self.plan.get(name).is_some_and(|planned| planned.state != State::Cached);
        let changed = |port: &String, name: &str| followed.contains(port) || pending(name) && !told(port);
        let ports = node.inputs.iter().filter(|(port, name)| changed(port, name));
        let inputs = ports.map(|(port, _)| (port.as_str(), last.inputs.get(port).copied())).collect();
        Ok(Changes { own, inputs })
    }

    /// Whether a port took the same node before and now, so that the change is in that node.
    fn is_in_its_node(&self, node: &Node, difference: &Difference, last: &Last) -> Result<bool, StoreError> {
        let both = difference.part == Part::Inputs && difference.old.is_some() && difference.new.is_some();
        Ok(both && self.history.rewired(node, &difference.path, last)?.is_none())
    }

    /// Walks from a changed node up through changed inputs, without recursion.
    fn roots(&self, node: &'a str, before: Option<Key>) -> Result<Vec<Root>, StoreError> {
        let mut roots = Vec::new();
        let mut seen = BTreeSet::from([node]);
        let mut open = vec![Open { node, before }];
        while let Some(at) = open.pop() {
            let (texts, inputs) = self.step(&at)?;
            roots.extend(texts.into_iter().map(|text| Root { node: at.node.to_owned(), text }));
            open.extend(inputs.into_iter().filter(|input| seen.insert(input.node)));
        }
        Ok(roots)
    }

    /// What changed in a node itself, and the inputs to follow.
    fn step(&self, at: &Open<'a>) -> Result<(Vec<String>, Vec<Open<'a>>), StoreError> {
        let last = match at.before {
            Some(key) => Some(self.history.record(key)?),
            None => self.history.last(at.node)?,
        };
        let (Some(planned), Some(last)) = (self.plan.get(at.node), last) else {
            return Ok((vec!["never ran".to_owned()], Vec::new()));
        };
        if planned.key == Some(last.key) {
            return Ok((vec![same_key(planned)], Vec::new()));
        }
        let node = &self.history.pipeline.nodes[at.node];
        let Changes { own, inputs } = self.changes(node, &last)?;
        let mut texts: Vec<String> =
            own.iter().map(|difference| tell(self.history, node, &last, difference)).collect::<Result<_, _>>()?;
        let inputs: Vec<Open<'a>> = inputs
            .into_iter()
            .filter_map(|(port, before)| Some(Open { node: self.selected(&node.inputs[port])?, before }))
            .collect();
        if texts.is_empty() && inputs.is_empty() {
            texts.push(planned.reason.clone());
        }
        Ok((texts, inputs))
    }

    fn selected(&self, node: &str) -> Option<&'a str> {
        self.plan.graph.index(node).map(|index| self.plan.graph.name(index))
    }
}

/// Why the artifact of an unchanged key may be another one.
fn same_key(planned: &Planned) -> String {
    match planned.state {
        State::Cached => "made anew, it came out different".to_owned(),
        _ => planned.reason.clone(),
    }
}

/// A `Command` has its ports under a field of the same name.
fn place(port: &str) -> String {
    if port.starts_with("inputs.") { port.to_owned() } else { format!("inputs.{port}") }
}

/// The first few roots; a change in the input itself needs no name.
fn list(input: &str, roots: &[Root]) -> String {
    const TOLD: usize = 3;
    let tell = |root: &Root| match root.node == input {
        true => root.text.clone(),
        false => format!("{}: {}", root.node, root.text),
    };
    let mut told: Vec<String> = roots.iter().take(TOLD).map(tell).collect();
    if roots.len() > TOLD {
        told.push(format!("and {} more", roots.len() - TOLD));
    }
    told.join("; ")
}
