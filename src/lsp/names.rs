//! The names of a pipeline: where nodes, parameters and axes are defined, and where they are used.

use std::collections::HashSet;
use std::ops::Range;

use hyper_flow_spec::Artifact;

use super::outline::{Form, Item, Value, unquoted};
use super::pattern::{fills, holes};
use super::place::{held, is_param, of_item};
use crate::pipeline::{Type, yields};

/// A definition: an entry of `nodes`, `params` or `matrix`.
#[derive(Debug, Clone)]
pub(super) struct Definition<'v> {
    /// The name, with axes in braces.
    pub(super) name: String,
    /// Its bytes, with quotes.
    pub(super) range: Range<usize>,
    /// What is defined.
    pub(super) item: &'v Item,
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// A node.
    Node,
    /// A parameter, an axis, or a field of an axis.
    Param,
}

/// A place where something is named.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// What sort of thing.
    pub(super) sort: Sort,
    /// The name, as it stands there.
    pub(super) name: String,
    /// Its bytes, with quotes.
    pub(super) range: Range<usize>,
}

/// All names of a pipeline.
#[derive(Debug)]
pub(super) struct Names<'v> {
    /// The text.
    text: &'v str,
    /// Nodes, in the order of the file.
    pub(super) nodes: Vec<Definition<'v>>,
    /// Parameters.
    pub(super) params: Vec<Definition<'v>>,
    /// Axes of `matrix`.
    pub(super) axes: Vec<Definition<'v>>,
    /// Where they are used.
    pub(super) uses: Vec<Use>,
}

impl<'v> Names<'v> {
    /// Gathers them.
    pub(super) fn of(text: &'v str, root: &'v Value) -> Names<'v> {
        let map = |name: &str| root.item(text, name).and_then(|item| item.value.as_ref());
        let defined = |name| map(name).map(|map| definitions(text, map)).unwrap_or_default();
        let (nodes, params, axes) = (defined("nodes"), defined("params"), defined("matrix"));
        let mut names = Names { text, nodes, params, axes, uses: Vec::new() };
        let mut uses = Uses { names: &names, found: Vec::new(), seen: HashSet::new() };
        uses.value(root, Some(Type::pipeline()));
        uses.keys(map("settings"));
        let mut found = uses.found;
        found.sort_by_key(|used| used.range.start);
        found.dedup_by_key(|used| used.range.start);
        names.uses = found;
        names
    }

    /// The nodes that a name means: the one that is called so, or those that a name with axes stands for.
    pub(super) fn nodes_of(&self, name: &str) -> Vec<&Definition<'v>> {
        let exact: Vec<_> = self.nodes.iter().filter(|node| node.name == name).collect();
        if exact.is_empty() {
            self.nodes.iter().filter(|node| self.fills(node, name).is_some()).collect()
        } else {
            exact
        }
    }

    /// What the axes in a node's name are, where it goes by another name.
    pub(super) fn fills(&self, node: &Definition<'_>, name: &str) -> Option<Vec<String>> {
        fills(&node.name, name, &|axis| self.values(axis))
    }

    /// The parameter or axis that is meant, of a field of an axis the axis.
    pub(super) fn param_of(&self, name: &str) -> Option<&Definition<'v>> {
        let called = |name: &str, of: &'_ [Definition<'v>]| of.iter().position(|param| param.name == name);
        let axis = || called(name, &self.axes).or_else(|| called(name.split_once('.')?.0, &self.axes));
        match called(name, &self.params) {
            Some(i) => self.params.get(i),
            None => axis().and_then(|i| self.axes.get(i)),
        }
    }

    /// The names of the values of an axis.
    fn values(&self, axis: &str) -> Vec<String> {
        let axis = self.axes.iter().find(|other| other.name == axis);
        let items = axis.and_then(|axis| axis.item.value.as_ref()).map(Value::items).unwrap_or_default();
        let name = |item: &Item| item.key(self.text).or_else(|| self.written(item.value.as_ref()?));
        items.iter().filter_map(name).collect()
    }

    fn written(&self, value: &Value) -> Option<String> {
        let written = self.text.get(value.range.clone())?;
        Some(unquoted(written).unwrap_or_else(|| written.to_owned()))
    }

    /// The kind of a node.
    pub(super) fn kind(&self, node: &Definition<'_>) -> Option<&'v str> {
        self.text.get(node.item.value.as_ref()?.name.clone()?)
    }

    /// What a node yields.
    pub(super) fn output(&self, node: &Definition<'_>) -> Option<Artifact> {
        let said = || {
            let value = node.item.value.as_ref()?.item(self.text, "output")?.value.as_ref()?;
            serde_json::from_value(self.text.get(value.range.clone())?.into()).ok()
        };
        said().or_else(|| yields(self.kind(node)?))
    }

    /// The names in braces that a node goes by.
    pub(super) fn axes_of<'n>(&self, node: &'n Definition<'_>) -> Vec<&'n str> {
        holes(&node.name)
    }
}

fn definitions<'v>(text: &str, map: &'v Value) -> Vec<Definition<'v>> {
    let named =
        |item: &'v Item| Some(Definition { name: item.key(text)?, range: item.key.as_ref()?.range.clone(), item });
    map.items().iter().filter_map(named).collect()
}

/// Looks for uses.
struct Uses<'n, 'v> {
    names: &'n Names<'v>,
    found: Vec<Use>,
    /// Values of parameters that were looked into, and as what.
    seen: HashSet<(usize, Option<usize>)>,
}

impl<'v> Uses<'_, 'v> {
    fn value(&mut self, value: &'v Value, ty: Option<Type>) {
        let text = self.names.text;
        if is_param(text, value) {
            return self.param(value, ty);
        }
        if value.form == Form::Text && ty.is_some_and(|ty| ty.artifacts().is_some()) {
            return self.push(Sort::Node, value.range.clone());
        }
        let holds = held(text, value, ty);
        for (i, item) in value.items().iter().enumerate() {
            if let Some(inner) = &item.value {
                self.value(inner, of_item(text, value, holds, i, item));
            }
        }
    }

    /// What stands in a parameter is looked at as what stands in its place.
    fn param(&mut self, param: &'v Value, ty: Option<Type>) {
        let Some(Value { range, form: Form::Text, .. }) = param.items().first().and_then(|item| item.value.as_ref())
        else {
            return;
        };
        self.push(Sort::Param, range.clone());
        let name = self.found.last().map(|used| used.name.clone()).unwrap_or_default();
        let Some(definition) = self.names.param_of(&name) else { return };
        let Some(value) = definition.item.value.as_ref() else { return };
        let field = name.strip_prefix(&definition.name).and_then(|rest| rest.strip_prefix('.'));
        let of_axis = self.names.axes.iter().any(|axis| axis.range == definition.range);
        let values: Vec<&Value> = match of_axis {
            true => value.items().iter().filter_map(|item| item.value.as_ref()).collect(),
            false => vec![value],
        };
        let text = self.names.text;
        let inside = |value: &'v Value| match field {
            Some(field) => value.item(text, field).and_then(|item| item.value.as_ref()),
            None => Some(value),
        };
        for value in values.into_iter().filter_map(inside) {
            if self.seen.insert((value.range.start, ty.map(Type::id))) {
                self.value(value, ty);
            }
        }
    }

    fn keys(&mut self, settings: Option<&Value>) {
        for item in settings.map(Value::items).unwrap_or_default() {
            let key = item.key.as_ref().filter(|_| item.key(self.names.text).is_some_and(|key| key != "*"));
            key.into_iter().for_each(|key| self.push(Sort::Node, key.range.clone()));
        }
    }

    fn push(&mut self, sort: Sort, range: Range<usize>) {
        let written = &self.names.text[range.clone()];
        let name = unquoted(written).unwrap_or_else(|| written.to_owned());
        self.found.push(Use { sort, name, range });
    }
}
