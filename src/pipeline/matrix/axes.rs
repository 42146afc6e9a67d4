//! The axes of `matrix`, each with its values.

use crate::pipeline::draft::{Draft, Findings};
use crate::pipeline::params::each_param;
use crate::pipeline::source::Sources;
use crate::pipeline::syntax::options;
use crate::pipeline::tree::{Entry, Key, Shape, Tree};

use super::template::{fill, holes, is_name};

/// The axis whose values are the seeds of the nodes that it names.
const SEED: &str = "seed";

/// What is swept.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Axes(Vec<Axis>);

/// One axis.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) key: Key,
    pub(super) values: Vec<Value>,
}

/// A value of an axis.
#[derive(Debug)]
pub(super) struct Value {
    /// What stands for it in names.
    pub(super) label: String,
    pub(super) tree: Tree,
}

/// One value of some axes: for each axis the number of its value.
#[derive(Debug, Clone)]
pub(super) struct Choice(Vec<Option<usize>>);

impl Axes {
    /// The entries of `matrix`; `None` if there is a mistake in them.
    pub(in crate::pipeline) fn read(sources: &Sources, entries: &[Entry], findings: &mut Findings) -> Option<Axes> {
        let before = findings.count();
        let axes = Axes(entries.iter().filter_map(|entry| axis(sources, entry, findings)).collect());
        let told_before = entries.iter().any(|entry| entry.value.broken());
        (findings.count() == before && !told_before).then_some(axes)
    }

    /// The names of the axes.
    pub(in crate::pipeline) fn names(&self) -> Vec<String> {
        self.0.iter().map(|axis| axis.key.text.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Axis> {
        self.0.iter()
    }

    pub(super) fn get(&self, axis: usize) -> &Axis {
        &self.0[axis]
    }

    /// The axis of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|axis| axis.key.text == name)
    }

    /// No value of any axis.
    pub(super) fn nothing_chosen(&self) -> Choice {
        Choice(vec![None; self.0.len()])
    }

    /// The value of an axis that is chosen.
    pub(super) fn chosen(&self, choice: &Choice, axis: usize) -> Option<&Value> {
        choice.0[axis].map(|value| &self.0[axis].values[value])
    }

    /// A choice, with each value of one axis more.
    pub(super) fn each(&self, choice: &Choice, axis: usize) -> impl Iterator<Item = Choice> {
        (0..self.0[axis].values.len()).map(move |value| {
            let mut choice = choice.clone();
            choice.0[axis] = Some(value);
            choice
        })
    }

    /// Every choice of axes, the first axis slowest.
    pub(super) fn all(&self, choice: &Choice, axes: &[usize]) -> Vec<Choice> {
        let start = vec![choice.clone()];
        axes.iter().fold(start, |all, &axis| all.iter().flat_map(|choice| self.each(choice, axis)).collect())
    }

    /// The axes that a text names and that are not chosen, in the order of `matrix`.
    pub(super) fn open(&self, text: &str, choice: &Choice) -> Vec<usize> {
        let named = |axis: &usize| holes(text).any(|name| name == self.0[*axis].key.text);
        (0..self.0.len()).filter(|axis| choice.0[*axis].is_none()).filter(named).collect()
    }

    /// A text with what is chosen in it.
    pub(super) fn fill(&self, text: &str, choice: &Choice) -> String {
        let label = |name: &str| Some(self.chosen(choice, self.find(name)?)?.label.as_str());
        fill(text, |name| self.find(name).is_some(), label)
    }

    /// The seed that is chosen.
    pub(super) fn seed(&self, sources: &Sources, choice: &Choice) -> Option<u64> {
        let value = self.chosen(choice, self.find(SEED)?)?;
        whole(sources, &value.tree)
    }
}

fn axis(sources: &Sources, entry: &Entry, findings: &mut Findings) -> Option<Axis> {
    let Entry { key, value } = entry;
    let name = &key.text;
    let mistake = |message: String| Draft::error(message).at(value.place(), "here");
    let values = match &value.shape {
        _ if !is_name(name) => {
            let draft = Draft::error(format!("`{name}` cannot name an axis")).at(key.place(), "this name");
            Err(Box::new(draft.help("use letters, digits, `_` and `-`")))
        }
        Shape::List(items) if !items.is_empty() => labelled(sources, items),
        Shape::Map(entries) if !entries.is_empty() => Ok(entries.iter().map(named).collect()),
        Shape::Broken => return None,
        Shape::List(_) | Shape::Map(_) => {
            Err(Box::new(mistake(format!("the axis `{name}` has no values")).help("write at least one")))
        }
        _ => {
            let help = format!("write `\"{name}\": [1, 2, 3]`, or with names `\"{name}\": {{\"low\": (1, 2), …}}`");
            Err(Box::new(mistake(format!("the axis `{name}` is a list of values, or a map of named ones")).help(help)))
        }
    };
    let values = values.and_then(|values| checked(sources, name, values));
    values.map_err(|draft| findings.push(*draft)).ok().map(|values| Axis { key: key.clone(), values })
}

fn named(entry: &Entry) -> Value {
    Value { label: entry.key.text.clone(), tree: entry.value.clone() }
}

/// Values that are their own names.
fn labelled(sources: &Sources, items: &[Tree]) -> Result<Vec<Value>, Box<Draft>> {
    let label = |tree: &Tree| {
        let text = || sources.slice(tree.span).to_owned();
        let plain = |label: &String| matches!(tree.shape, Shape::Atom) && !label.contains(['{', '}']);
        let label = tree.text(sources).unwrap_or_else(text);
        if plain(&label) {
            return Ok(Value { label, tree: tree.clone() });
        }
        let draft = Draft::error("this value needs a name, for the names of nodes").at(tree.place(), "no single word");
        Err(Box::new(draft.help("write the axis as a map: `{\"low\": (1, 2), \"high\": (3, 4)}`")))
    };
    items.iter().map(label).collect()
}

fn checked(sources: &Sources, name: &str, mut values: Vec<Value>) -> Result<Vec<Value>, Box<Draft>> {
    for i in 0..values.len() {
        if let Some(first) = values[..i].iter().find(|first| first.label == values[i].label) {
            let draft = Draft::error(format!("the axis `{name}` has `{}` twice", first.label));
            let draft = draft.at(values[i].tree.place(), "given again").at(first.tree.place(), "given first");
            return Err(Box::new(draft.help("remove one of them")));
        }
        let mut nested = None;
        each_param(sources, &mut values[i].tree, &mut |param| nested = Some(param.place()));
        if let Some(place) = nested {
            let draft = Draft::error("an axis cannot be made of another one").at(place, "here");
            return Err(Box::new(draft.help("write the value itself; `{axis}` may stand in a text")));
        }
        if name == SEED && whole(sources, &values[i].tree).is_none() {
            let draft = Draft::error("a seed is a whole number").at(values[i].tree.place(), "no whole number");
            return Err(Box::new(draft.help("the axis `seed` is the seed of the nodes with `{seed}` in their names")));
        }
    }
    Ok(values)
}

fn whole(sources: &Sources, tree: &Tree) -> Option<u64> {
    options().from_str(sources.slice(tree.span)).ok()
}

/// Tells names that are both an axis and a parameter.
pub(in crate::pipeline) fn tell_axes_twice(axes: &[Entry], params: &[Entry], findings: &mut Findings) {
    for Entry { key, .. } in axes {
        let Some(param) = params.iter().find(|param| param.key.text == key.text) else { continue };
        let draft = Draft::error(format!("`{}` is both an axis and a parameter", key.text));
        let draft = draft.at(key.place(), "the axis").at(param.key.place(), "the parameter");
        findings.push(draft.help("rename one of them, or remove the parameter"));
    }
}
