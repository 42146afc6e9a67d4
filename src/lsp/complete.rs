//! What may come where the cursor is.

use std::ops::Range;

use hyper_flow_spec::{Artifact, Kind};

use super::about;
use super::names::{Definition, Names};
use super::outline::{Form, Item, Value, outline};
use super::place::{Place, at};
use super::snippet;
use crate::pipeline::{FieldType, Type};

/// Something that may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// What is offered, as it is listed.
    pub(super) label: String,
    /// What sort of thing it is.
    pub(super) sort: Sort,
    /// A word beside it: what it takes, or what it yields.
    pub(super) detail: String,
    /// What it is for, in Markdown.
    pub(super) doc: String,
    /// What is written, as a snippet: `$1` is where the cursor goes.
    pub(super) insert: String,
    /// The bytes that it replaces.
    pub(super) replaces: Range<usize>,
}

/// What sort of thing is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A kind.
    Kind,
    /// A field that must be given.
    Required,
    /// Another field.
    Field,
    /// A name that a value may have.
    Variant,
    /// A node.
    Node,
    /// A parameter or an axis.
    Param,
}

/// All that may come at a byte, the likeliest first.
pub(super) fn complete(text: &str, byte: usize) -> Vec<Candidate> {
    let Some(root) = outline(text) else { return vec![whole(byte)] };
    let place = at(text, &root, byte);
    let names = Names::of(text, &root);
    Completer { text, byte, place, names }.all()
}

/// For a file with nothing in it.
fn whole(byte: usize) -> Candidate {
    Candidate {
        label: "Pipeline(…)".to_owned(),
        sort: Sort::Kind,
        detail: "an empty pipeline".to_owned(),
        doc: Type::pipeline().doc().to_owned(),
        insert: "Pipeline(\n    name: \"$1\",\n    nodes: {\n        $0\n    },\n)\n".to_owned(),
        replaces: byte..byte,
    }
}

struct Completer<'v> {
    text: &'v str,
    byte: usize,
    place: Place<'v>,
    names: Names<'v>,
}

impl Completer<'_> {
    fn all(&self) -> Vec<Candidate> {
        let is_written = |value: &Value| value.form != Form::Text && matches!(value.form, Form::Inside(..));
        if self.place.value.is_some_and(|value| is_written(value) && !self.on_name(value)) {
            return Vec::new();
        }
        if self.place.in_param(self.text) {
            return self.params(true);
        }
        if self.place.on_key || self.begins_an_entry() {
            return self.keys();
        }
        self.values()
    }

    fn on_name(&self, value: &Value) -> bool {
        value.name.as_ref().is_some_and(|name| self.byte <= name.end)
    }

    /// Whether it is before the colon of a field, or of an entry of a map, that is not there yet.
    fn begins_an_entry(&self) -> bool {
        let in_map = self.place.around.is_some_and(|(value, _)| matches!(value.form, Form::Inside('{', _)));
        self.place.item.is_none_or(|item| item.key.is_none()) && (self.place.is_field() || in_map)
    }

    fn keys(&self) -> Vec<Candidate> {
        let Some((around, holds)) = self.place.around else { return Vec::new() };
        if let Some(holds) = holds.filter(|_| self.place.is_field()) {
            return self.fields(around, holds);
        }
        let depth = self.place.path.len() - usize::from(self.place.item.is_some_and(|item| item.key.is_some()));
        match &self.place.path[..depth] {
            [settings] if settings == "settings" => self.settings(around),
            _ => Vec::new(),
        }
    }

    /// The fields that are not there yet; those that must be, first.
    fn fields(&self, around: &Value, holds: Type) -> Vec<Candidate> {
        let here = self.place.item;
        let is_here = |item: &Item| here.is_some_and(|here| here.slot == item.slot);
        let is_there = |name: &str| around.item(self.text, name).is_some_and(|item| !is_here(item));
        let absent: Vec<FieldType> = holds.fields().into_iter().filter(|field| !is_there(field.name)).collect();
        let (required, others): (Vec<_>, Vec<_>) = absent.into_iter().partition(|field| field.required);
        required.into_iter().chain(others).map(|field| self.field(field)).collect()
    }

    fn field(&self, field: FieldType) -> Candidate {
        // What stands behind the colon already stays.
        let insert = match self.place.on_key {
            true => field.name.to_owned(),
            false => format!("{}: {}", field.name, snippet::value(field.ty, &mut 1)),
        };
        Candidate {
            label: field.name.to_owned(),
            sort: if field.required { Sort::Required } else { Sort::Field },
            detail: format!("{} ({})", field.ty.words(), field.given()),
            doc: field.ty.doc().to_owned(),
            insert,
            replaces: self.replaced(),
        }
    }

    /// The nodes that have no settings yet.
    fn settings(&self, around: &Value) -> Vec<Candidate> {
        let is_there = |name: &str| around.item(self.text, name).is_some_and(|item| self.place.item != Some(item));
        let nodes = self.names.nodes.iter().filter(|node| !is_there(&node.name));
        let rest = if self.place.on_key { "" } else { ": ($1)" };
        let each = |node: &Definition<'_>| Candidate { insert: quoted(&node.name) + rest, ..self.node(node) };
        nodes.map(each).collect()
    }

    fn values(&self) -> Vec<Candidate> {
        let Some(ty) = self.place.ty else { return Vec::new() };
        let in_text = self.place.value.is_some_and(|value| value.form == Form::Text);
        let of_language = || match self.place.path.as_slice() {
            [nodes, _] if nodes == "nodes" => self.kinds(),
            _ => self.variants(ty),
        };
        match ty.artifacts() {
            Some(takes) => self.nodes(&takes).into_iter().chain(self.unless(in_text, || self.params(false))).collect(),
            None if in_text => Vec::new(),
            None => of_language().into_iter().chain(self.unless(self.is_node(), || self.params(false))).collect(),
        }
    }

    fn unless(&self, not: bool, of: impl FnOnce() -> Vec<Candidate>) -> Vec<Candidate> {
        if not { Vec::new() } else { of() }
    }

    fn is_node(&self) -> bool {
        matches!(self.place.path.as_slice(), [nodes, _] if nodes == "nodes")
    }

    fn kinds(&self) -> Vec<Candidate> {
        let kind = |name: &&'static str| {
            let ty = Type::of_kind(name)?;
            Some(Candidate {
                label: (*name).to_owned(),
                sort: Sort::Kind,
                detail: crate::pipeline::yields(name)?.to_string(),
                doc: about::kind(name)?,
                insert: self.unless_parentheses(name, || snippet::filled(name, ty, &mut 1)),
                replaces: self.replaced(),
            })
        };
        Kind::NAMES.iter().filter_map(kind).collect()
    }

    /// Only the name, where the parentheses are there.
    fn unless_parentheses(&self, name: &str, whole: impl FnOnce() -> String) -> String {
        match self.place.value {
            Some(value) if matches!(value.form, Form::Inside(..)) => name.to_owned(),
            _ => whole(),
        }
    }

    fn variants(&self, ty: Type) -> Vec<Candidate> {
        let of_bool = if ty.is_bool() { &["true", "false"][..] } else { &[] };
        let bools = of_bool.iter().map(|name| self.written(name, (*name).to_owned(), String::new()));
        let variants = ty.variants().into_iter().map(|variant| {
            let insert = || match variant.holds {
                Some(holds) => snippet::filled(variant.name, holds, &mut 1),
                None => variant.name.to_owned(),
            };
            self.written(variant.name, self.unless_parentheses(variant.name, insert), about::variant(variant))
        });
        let form = snippet::value(ty, &mut 1);
        let is_form = form.len() > 2 && !ty.is_text() && self.place.value.is_none();
        let form = is_form.then(|| self.written(&snippet::plain(&form), form.clone(), ty.doc().to_owned()));
        bools.chain(variants).chain(form).collect()
    }

    fn written(&self, label: &str, insert: String, doc: String) -> Candidate {
        let (label, detail) = (label.to_owned(), String::new());
        Candidate { label, sort: Sort::Variant, detail, doc, insert, replaces: self.replaced() }
    }

    /// The nodes that yield what is wanted, but for the one that is being written.
    fn nodes(&self, takes: &[Artifact]) -> Vec<Candidate> {
        let own = self.place.path.get(1);
        let fits = |node: &&Definition<'_>| {
            let output = self.names.output(node);
            Some(&node.name) != own && output.is_some_and(|output| takes.iter().any(|takes| takes.accepts(output)))
        };
        self.names.nodes.iter().filter(fits).map(|node| self.node(node)).collect()
    }

    fn node(&self, node: &Definition<'_>) -> Candidate {
        Candidate {
            label: node.name.clone(),
            sort: Sort::Node,
            detail: self.names.kind(node).unwrap_or_default().to_owned(),
            doc: about::node(&self.names, node),
            insert: snippet::escaped(&quoted(&node.name)),
            replaces: self.replaced(),
        }
    }

    /// Parameters and axes, inside `Param(…)` only their names.
    fn params(&self, inside: bool) -> Vec<Candidate> {
        let defined = self.names.params.iter().chain(&self.names.axes);
        let fields = self.names.axes.iter().flat_map(|axis| {
            let first = axis.item.value.as_ref().and_then(|value| value.items().first());
            let items = first.and_then(|item| item.value.as_ref()).map(Value::items).unwrap_or_default();
            items.iter().filter_map(move |item| Some((format!("{}.{}", axis.name, item.key(self.text)?), axis)))
        });
        let each = |(name, definition): (String, &Definition<'_>)| {
            let insert = if inside { quoted(&name) } else { format!("Param({})", quoted(&name)) };
            Candidate {
                label: if inside { name } else { insert.clone() },
                sort: Sort::Param,
                detail: String::new(),
                doc: about::defined(self.text, definition),
                insert: snippet::escaped(&insert),
                replaces: self.replaced(),
            }
        };
        defined.map(|definition| (definition.name.clone(), definition)).chain(fields).map(each).collect()
    }

    /// The name, text or key that the cursor is on.
    fn replaced(&self) -> Range<usize> {
        let key = || self.place.item.and_then(|item| item.key.as_ref()).map(|key| key.range.clone());
        match self.place.value {
            _ if self.place.on_key => key().unwrap_or(self.byte..self.byte),
            Some(value) => value.name.clone().unwrap_or_else(|| value.range.clone()),
            None => self.byte..self.byte,
        }
    }
}

fn quoted(name: &str) -> String {
    ron::to_string(name).unwrap_or_default()
}
