//! Puts every value of the axes where its name stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::draft::{Draft, Findings};
use crate::pipeline::params::{is_param, name_of};
use crate::pipeline::source::{Sources, Span};
use crate::pipeline::suggest::instead;
use crate::pipeline::tree::{Entry, Place, Shape, Tree};

use super::axes::{Axes, Choice};
use super::template::unknown_axis;

/// As many nodes, and items and entries in them, as a matrix may make: more are a mistake, and no machine has room for all
/// that a few axes can be.
const MOST: usize = 100_000;

/// What nodes came of the names in the file.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Swept {
    /// The names of the axes.
    pub(in crate::pipeline) axes: Vec<String>,
    /// The nodes that each name with axes stands for.
    pub(in crate::pipeline) nodes: BTreeMap<String, Vec<String>>,
    /// The seeds of those that the axis `seed` names.
    pub(in crate::pipeline) seeds: BTreeMap<String, u64>,
}

/// Replaces the nodes and settings whose names have axes by one for each value.
pub(in crate::pipeline) fn sweep(sources: &Sources, axes: &Axes, root: &mut Tree, findings: &mut Findings) -> Swept {
    let names = axes.names();
    map(root, "nodes").into_iter().flatten().for_each(|entry| tell_unknown(entry, &names, findings));
    if axes.is_empty() {
        return Swept::default();
    }
    let mut expander = Expander { sources, axes, findings, used: BTreeSet::new(), owner: String::new(), made: 0 };
    let swept = map(root, "nodes").map(|nodes| expander.nodes(nodes)).unwrap_or_default();
    map(root, "settings").into_iter().for_each(|settings| expander.settings(settings));
    if expander.made <= MOST {
        expander.tell_unused();
    }
    swept
}

/// The entries of a top-level map.
fn map<'t>(root: &'t mut Tree, name: &str) -> Option<&'t mut Vec<Entry>> {
    match &mut root.entries_mut()?.iter_mut().find(|entry| entry.key.text == name)?.value.shape {
        Shape::Map(entries) => Some(entries),
        _ => None,
    }
}

fn tell_unknown(Entry { key, .. }: &Entry, axes: &[String], findings: &mut Findings) {
    if let Some(help) = unknown_axis(&key.text, axes) {
        let draft = Draft::error(format!("`{}` names no axis that there is", key.text));
        findings.push(draft.at(key.place(), "this name").help(help));
    }
}

/// Adds settings; what is said of one node goes before what is said of several.
fn merge(settings: &mut Vec<Entry>, mut entry: Entry) {
    let Some(old) = settings.iter_mut().find(|old| old.key.text == entry.key.text) else {
        return settings.push(entry);
    };
    if let (Some(before), Some(now)) = (old.value.entries_mut(), entry.value.entries_mut()) {
        before.retain(|field| now.iter().all(|other| other.key.text != field.key.text));
        now.append(before);
    }
    old.value = entry.value;
}

struct Expander<'a> {
    sources: &'a Sources,
    axes: &'a Axes,
    findings: &'a mut Findings,
    used: BTreeSet<usize>,
    /// The node, as the file names it.
    owner: String,
    /// What the matrix has made so far.
    made: usize,
}

impl<'a> Expander<'a> {
    fn nodes(&mut self, nodes: &mut Vec<Entry>) -> Swept {
        let mut swept = Swept { axes: self.axes.names(), ..Swept::default() };
        for entry in std::mem::take(nodes) {
            for (choice, node) in self.owned(&entry) {
                if self.is_template(&entry) {
                    let name = &node.key.text;
                    swept.seeds.extend(self.axes.seed(self.sources, &choice).map(|seed| (name.clone(), seed)));
                    swept.nodes.entry(entry.key.text.clone()).or_default().push(name.clone());
                }
                nodes.push(node);
            }
        }
        swept
    }

    fn settings(&mut self, settings: &mut Vec<Entry>) {
        let entries = std::mem::take(settings);
        let (templates, plain): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| self.is_template(entry));
        for entry in templates.into_iter().chain(plain) {
            self.owned(entry).into_iter().for_each(|(_, entry)| merge(settings, entry));
        }
    }

    fn is_template(&self, entry: &Entry) -> bool {
        !self.axes.open(&entry.key.text, &self.axes.nothing_chosen()).is_empty()
    }

    /// What a node, or its settings, stands for.
    fn owned(&mut self, entry: &Entry) -> Vec<(Choice, Entry)> {
        self.owner.clone_from(&entry.key.text);
        self.entry(entry, &self.axes.nothing_chosen())
    }

    /// What an entry stands for: as many as its key has values.
    fn entry(&mut self, entry: &Entry, choice: &Choice) -> Vec<(Choice, Entry)> {
        let open = self.axes.open(&entry.key.text, choice);
        self.used.extend(&open);
        if !self.has_room(&open, entry.key.place()) {
            return Vec::new();
        }
        let choices = self.axes.all(choice, &open).into_iter();
        let each = |choice: Choice| {
            let mut entry = entry.clone();
            entry.key.text = self.axes.fill(&entry.key.text, &choice);
            self.value(&mut entry.value, &choice);
            (choice, entry)
        };
        choices.map(each).collect()
    }

    /// Puts in what is chosen; an item of a list, and an entry of a map, stands for all that is left open in it.
    fn value(&mut self, tree: &mut Tree, choice: &Choice) {
        self.put_in(tree, choice);
        match &mut tree.shape {
            Shape::Atom => self.text(tree, choice),
            Shape::List(items) => *items = items.iter().flat_map(|item| self.item(item, choice)).collect(),
            Shape::Map(entries) => {
                let each = |entry: &Entry| self.entry(entry, choice).into_iter().map(|(_, entry)| entry);
                *entries = entries.iter().flat_map(each).collect::<Vec<_>>();
            }
            _ => tree.children_mut().for_each(|child| self.value(child, choice)),
        }
    }

    fn item(&mut self, item: &Tree, choice: &Choice) -> Vec<Tree> {
        match self.open_in(item, choice) {
            Some(axis) => {
                self.used.insert(axis);
                if !self.has_room(&[axis], item.place()) {
                    return Vec::new();
                }
                let choices: Vec<Choice> = self.axes.each(choice, axis).collect();
                choices.iter().flat_map(|choice| self.item(item, choice)).collect()
            }
            None => {
                let mut item = item.clone();
                self.value(&mut item, choice);
                vec![item]
            }
        }
    }

    /// Whether one for each value of these axes can still be made; the first that cannot is told.
    fn has_room(&mut self, axes: &[usize], place: Place) -> bool {
        if axes.is_empty() || self.made > MOST {
            return axes.is_empty();
        }
        let values = axes.iter().map(|&axis| self.axes.get(axis).values.len());
        self.made = self.made.saturating_add(values.fold(1, usize::saturating_mul));
        if self.made > MOST {
            let draft = Draft::error(format!("the matrix makes more than {MOST} nodes and items"));
            self.findings
                .push(draft.at(place, "up to here").help("name fewer axes in one text, or give them fewer values"));
        }
        self.made <= MOST
    }

    /// The first axis that is left open in an item; what is open in a list or map inside, that stands for.
    fn open_in(&self, tree: &Tree, choice: &Choice) -> Option<usize> {
        if let Some((axis, value)) = self.of_param(tree, choice) {
            return value.map_or(Some(axis), |value| self.open_in(value.ok()?, choice));
        }
        match &tree.shape {
            Shape::Atom => self.axes.open(&tree.text(self.sources)?, choice).first().copied(),
            Shape::List(_) | Shape::Map(_) => None,
            _ => tree.children().filter_map(|child| self.open_in(child, choice)).min(),
        }
    }

    /// Of `Param("axis")` or `Param("axis.field")`: the axis, and if it is chosen its value, or the field it has not.
    fn of_param(&self, tree: &Tree, choice: &Choice) -> Option<(usize, Option<Result<&'a Tree, String>>)> {
        let name = is_param(self.sources, tree).then(|| name_of(self.sources, tree)).flatten()?;
        let (axis, field) = match (self.axes.find(&name), name.split_once('.')) {
            (Some(axis), _) => (axis, None),
            (None, split) => split.and_then(|(axis, field)| Some((self.axes.find(axis)?, Some(field.to_owned()))))?,
        };
        let value = self.axes.chosen(choice, axis).map(|value| match field {
            None => Ok(&value.tree),
            Some(field) => value.tree.entry(&field).map(|entry| &entry.value).ok_or(field),
        });
        Some((axis, value))
    }

    fn put_in(&mut self, tree: &mut Tree, choice: &Choice) {
        let Some((axis, value)) = self.of_param(tree, choice) else { return };
        self.used.insert(axis);
        let put = match value {
            Some(Ok(value)) => Ok(value.clone().standing_in_for(tree.span)),
            Some(Err(field)) => Err(self.no_field(axis, choice, &field, tree.span)),
            None => Err(self.left_open(axis, tree.place())),
        };
        *tree = put.unwrap_or_else(|draft| {
            self.findings.push(draft);
            Tree { shape: Shape::Broken, ..tree.clone() }
        });
    }

    fn text(&mut self, tree: &mut Tree, choice: &Choice) {
        let Some(text) = tree.text(self.sources).filter(|text| text.contains('{')) else { return };
        if let Some(&axis) = self.axes.open(&text, choice).first() {
            self.findings.push(self.left_open(axis, tree.place()));
            tree.shape = Shape::Broken;
            return;
        }
        let filled = self.axes.fill(&text, choice);
        if filled != text {
            tree.shape = Shape::Text(filled);
        }
    }

    fn left_open(&self, axis: usize, place: Place) -> Draft {
        let axis = self.axes.get(axis);
        let (name, owner) = (&axis.key.text, &self.owner);
        let draft = Draft::error(format!("`{name}` has {} values, and `{owner}` is one node", axis.values.len()));
        draft.at(place, "which one?").help(format!(
            "name it `\"{owner}@{{{name}}}\"`, to have one node for each value; in a list or the key of a map `{{{name}}}` stands for all"
        ))
    }

    fn no_field(&self, axis: usize, choice: &Choice, field: &str, param: Span) -> Draft {
        let name = &self.axes.get(axis).key.text;
        let Some(value) = self.axes.chosen(choice, axis) else { return self.left_open(axis, param.into()) };
        let entries = value.tree.entries().unwrap_or_default();
        let fields: Vec<&str> = entries.iter().map(|entry| entry.key.text.as_str()).collect();
        let draft = Draft::error(format!("`{}` of the axis `{name}` has no `{field}`", value.label));
        draft.at(value.tree.place(), "not in here").at(param, "used here").help(instead(field, &fields, "fields"))
    }

    /// An axis that nothing uses: of the file, a warning; from the command line, a mistake.
    fn tell_unused(&mut self) {
        for (i, axis) in self.axes.iter().enumerate().filter(|(i, _)| !self.used.contains(i)) {
            let name = &axis.key.text;
            let others: Vec<String> =
                self.axes.names().into_iter().enumerate().filter(|(j, _)| *j != i).map(|(_, n)| n).collect();
            self.findings.push(if axis.key.span.source == 0 {
                let draft = Draft::warning(format!("the axis `{name}` is never used")).at(axis.key.place(), "unused");
                draft.help(format!("remove it, or name a node with it: `\"…@{{{name}}}\"`"))
            } else {
                let draft = Draft::error(format!("no axis of the pipeline is called `{name}`"));
                draft.at(axis.key.place(), "unknown axis").help(instead(name, &others, "other axes"))
            });
        }
    }
}
