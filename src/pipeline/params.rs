//! `Param("x")`: the value of a parameter, put in before anything has a type.

use std::collections::BTreeMap;

use super::draft::{Draft, Findings};
use super::source::{Sources, Span};
use super::suggest::instead;
use super::tree::{Entry, Shape, Tree};

/// The parameters of a pipeline.
pub(super) struct Params {
    values: BTreeMap<String, Param>,
    /// The names of axes, which `Param` also stands for.
    axes: Vec<String>,
}

struct Param {
    name: Span,
    value: Tree,
    used: bool,
}

impl Params {
    /// The entries of `params`. A parameter cannot be made of others. What stands for an axis is left as it is.
    pub(super) fn new(sources: &Sources, mut entries: Vec<Entry>, axes: Vec<String>, findings: &mut Findings) -> Self {
        for entry in &mut entries {
            each_param(sources, &mut entry.value, &mut |param| {
                let draft = Draft::error("a parameter cannot be made of another one").at(param.place(), "here");
                findings.push(draft.help("write the value itself"));
                param.shape = Shape::Broken;
            });
        }
        let param = |entry: Entry| Param { name: entry.key.span, value: entry.value, used: false };
        Self { values: entries.into_iter().map(|entry| (entry.key.text.clone(), param(entry))).collect(), axes }
    }

    /// Puts the values in, everywhere inside `tree`.
    pub(super) fn resolve(&mut self, sources: &Sources, tree: &mut Tree, findings: &mut Findings) {
        each_param(sources, tree, &mut |param| {
            if self.is_axis(sources, param) {
                return;
            }
            let value = self.value(sources, param);
            *param = value.unwrap_or_else(|draft| {
                findings.push(*draft);
                Tree { shape: Shape::Broken, ..param.clone() }
            });
        });
    }

    fn value(&mut self, sources: &Sources, param: &Tree) -> Result<Tree, Box<Draft>> {
        let wrong = || {
            let draft = Draft::error("`Param` takes the name of a parameter").at(param.place(), "here");
            Box::new(draft.help("write for example `Param(\"guidance\")`"))
        };
        let name = argument(param).ok_or_else(wrong)?;
        let text = name.text(sources).ok_or_else(wrong)?;
        match self.values.get_mut(&text) {
            Some(found) => {
                found.used = true;
                Ok(found.value.clone().standing_in_for(param.span))
            }
            None => {
                let draft = Draft::error(format!("there is no parameter `{text}`"));
                Err(Box::new(draft.at(name.place(), "unknown parameter").help(self.advice(&text))))
            }
        }
    }

    fn is_axis(&self, sources: &Sources, param: &Tree) -> bool {
        let of = |name: &str| name.split_once('.').map_or(name, |(axis, _)| axis).to_owned();
        name_of(sources, param).is_some_and(|name| !self.values.contains_key(&name) && self.axes.contains(&of(&name)))
    }

    fn advice(&self, unknown: &str) -> String {
        let names: Vec<&str> = self.values.keys().chain(&self.axes).map(String::as_str).collect();
        match names.as_slice() {
            [] => format!("declare it in the pipeline: `params: {{\"{unknown}\": …}}`"),
            _ => instead(unknown, &names, "parameters"),
        }
    }

    /// A parameter that nothing uses: of the file, a warning; from the command line, a mistake, because a
    /// misspelt one would silently change nothing.
    pub(super) fn tell_unused(&self, findings: &mut Findings) {
        for (name, param) in self.values.iter().filter(|(_, param)| !param.used) {
            findings.push(if param.name.source == 0 {
                Draft::warning(format!("the parameter `{name}` is never used"))
                    .at(param.name, "unused")
                    .help(format!("remove it, or use it as `Param(\"{name}\")`"))
            } else {
                let names: Vec<&str> = self.values.keys().map(String::as_str).filter(|other| other != name).collect();
                Draft::error(format!("no parameter of the pipeline is called `{name}`"))
                    .at(param.name, "unknown parameter")
                    .help(instead(name, &names, "other parameters"))
            });
        }
    }
}

/// Calls `found` with every `Param(…)` in a tree.
pub(super) fn each_param(sources: &Sources, tree: &mut Tree, found: &mut dyn FnMut(&mut Tree)) {
    match is_param(sources, tree) {
        true => found(tree),
        false => tree.children_mut().for_each(|child| each_param(sources, child, found)),
    }
}

/// Whether a value is a `Param(…)`.
pub(super) fn is_param(sources: &Sources, tree: &Tree) -> bool {
    match &tree.shape {
        Shape::Tuple(name, _) | Shape::Fields(name, _) => name.is_some_and(|name| sources.slice(name) == "Param"),
        _ => false,
    }
}

/// The name that a `Param(…)` holds.
pub(super) fn name_of(sources: &Sources, param: &Tree) -> Option<String> {
    argument(param)?.text(sources)
}

fn argument(param: &Tree) -> Option<&Tree> {
    match &param.shape {
        Shape::Tuple(_, items) if items.len() == 1 => items.first(),
        _ => None,
    }
}
