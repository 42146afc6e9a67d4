//! What a kind, or any struct of the language, takes: read off its JSON Schema, which is made from the types.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hyper_flow_spec::{Artifact, Kind, KindSpec, KindVisitor};
use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::source::Sources;
use super::tree::{Entry, Shape, Tree};
use super::words::{self, resolve, shorten};

/// The fields of a struct, in the order of its definition.
#[derive(Debug, Clone)]
pub struct Description {
    /// What it is for.
    pub doc: String,
    /// Its fields.
    pub fields: Vec<Field>,
    definitions: Map<String, Value>,
}

/// One field of a struct.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it is for, with its unit.
    pub doc: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given, as JSON; `None` when it is then absent.
    pub default: Option<Value>,
    schema: Value,
}

/// A kind as its documentation tells it.
#[derive(Debug, Clone)]
pub struct KindDescription {
    /// Its name.
    pub name: &'static str,
    /// The version of what it computes.
    pub version: u32,
    /// What its nodes yield, unless their parameters say otherwise.
    pub output: Artifact,
    /// Whether it keeps checkpoints though it trains nothing.
    pub(super) checkpoints: bool,
    /// Its documentation and its fields.
    pub params: Description,
}

impl KindDescription {
    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        Kind::visit(name, Describe)
    }
}

struct Describe;

impl KindVisitor for Describe {
    type Out = KindDescription;

    fn visit<K: KindSpec>(self) -> KindDescription {
        KindDescription {
            name: K::NAME,
            version: K::VERSION,
            output: K::OUTPUT,
            checkpoints: K::CHECKPOINTS,
            params: Description::of::<K>(),
        }
    }
}

/// The kind of this name, described once for the whole process: an editor has one file checked again and again.
pub(super) fn kind_of(name: &str) -> Option<&'static KindDescription> {
    static KNOWN: OnceLock<BTreeMap<&'static str, OnceLock<Option<KindDescription>>>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| Kind::NAMES.iter().map(|name| (*name, OnceLock::new())).collect());
    known.get(name)?.get_or_init(|| KindDescription::of(name)).as_ref()
}

impl Description {
    /// The description of a struct.
    pub fn of<T: JsonSchema>() -> Self {
        let mut schema = schemars::schema_for!(T).to_value();
        let definitions = object(schema.get_mut("$defs").map(Value::take));
        let properties = object(schema.get_mut("properties").map(Value::take));
        let required = |name: &str| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let field = |(name, schema): (String, Value)| Field {
            doc: doc(&schema),
            required: required(&name),
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
            name,
            schema,
        };
        let fields = properties.into_iter().map(field).collect();
        Self { doc: doc(&schema), fields, definitions }
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The schema of the field of this name.
    pub(super) fn schema(&self, name: &str) -> Option<&Value> {
        self.field(name).map(|field| &field.schema)
    }

    /// The names of the fields.
    pub fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }

    /// What a field takes, in words: "a whole number from 1 to 1000".
    pub fn takes(&self, field: &Field) -> String {
        words::of(&self.definitions, &field.schema)
    }

    /// What a field is when it is not given, as it would be written.
    pub fn default(&self, field: &Field) -> Option<String> {
        Some(words::literal(&self.definitions, &field.schema, field.default.as_ref()?))
    }

    /// What the struct is for, in one sentence.
    pub fn summary(&self) -> String {
        first_sentence(&self.doc)
    }

    /// What something inside takes, in words.
    pub(super) fn takes_schema(&self, schema: &Value) -> String {
        words::of(&self.definitions, schema)
    }

    /// The names that an enum allows.
    pub(super) fn variants(&self, schema: &Value) -> Vec<String> {
        words::variants(&self.definitions, schema)
    }

    /// Whether this is how a value that has no quotes, a number or a truth value, is written.
    pub(super) fn is_plain(&self, schema: &Value, text: &str) -> bool {
        words::is_plain(&self.definitions, schema, text)
    }

    /// What a field takes, and what it is for.
    pub(super) fn hint(&self, field: &Field) -> String {
        self.hint_of(&field.name, &field.schema)
    }

    /// As [`Description::hint`], for something inside.
    pub(super) fn hint_of(&self, name: &str, schema: &Value) -> String {
        let takes = self.takes_schema(schema);
        match first_sentence(&doc(schema)) {
            none if none.is_empty() => format!("`{name}` takes {takes}"),
            doc => format!("`{name}` takes {takes}. {doc}"),
        }
    }

    /// Visits a field's value and everything inside, as far as it has the form that the schema wants, with
    /// the path of the port that it would be.
    pub(super) fn walk<'a>(&'a self, sources: &Sources, entry: &'a Entry, visit: &mut Visit<'_, 'a>) {
        if let Some(field) = self.field(&entry.key.text) {
            Walk { sources, definitions: &self.definitions, visit }.value(
                &field.schema,
                &entry.value,
                field.name.clone(),
            );
        }
    }
}

/// Called with the path, the schema and the value.
pub(super) type Visit<'v, 'a> = dyn FnMut(&str, &'a Value, &'a Tree) + 'v;

struct Walk<'w, 'v, 'a> {
    sources: &'w Sources,
    definitions: &'a Map<String, Value>,
    visit: &'w mut Visit<'v, 'a>,
}

impl<'a> Walk<'_, '_, 'a> {
    fn value(&mut self, schema: &'a Value, tree: &'a Tree, path: String) {
        (self.visit)(&path, schema, tree);
        let schema = resolve(self.definitions, schema);
        if let Some(payload) = self.payload(schema, tree) {
            return self.variant(payload, tree, path);
        }
        let each = |field: &str| schema.get(field);
        match &tree.shape {
            Shape::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    each("items").into_iter().for_each(|schema| self.value(schema, item, format!("{path}.{i}")));
                }
            }
            Shape::Tuple(name, items) if self.is_some(*name) => {
                items.iter().for_each(|item| self.value(schema, item, path.clone()));
            }
            Shape::Tuple(None, items) => {
                let schemas = each("prefixItems").and_then(Value::as_array).into_iter().flatten();
                for (i, (schema, item)) in schemas.zip(items).enumerate() {
                    self.value(schema, item, format!("{path}.{i}"));
                }
            }
            Shape::Map(entries) => {
                let values = each("patternProperties").and_then(|patterns| patterns.as_object()?.values().next());
                let Some(values) = values.or(each("additionalProperties")) else { return };
                for entry in entries {
                    self.value(values, &entry.value, format!("{path}.{}", entry.key.text));
                }
            }
            Shape::Fields(None, entries) => self.fields(schema, entries, &path),
            Shape::Fields(..) | Shape::Tuple(..) | Shape::Atom | Shape::Text(_) | Shape::Broken => {}
        }
    }

    fn fields(&mut self, schema: &'a Value, entries: &'a [Entry], path: &str) {
        for entry in entries {
            if let Some(schema) = schema.get("properties").and_then(|fields| fields.get(&entry.key.text)) {
                self.value(schema, &entry.value, format!("{path}.{}", entry.key.text));
            }
        }
    }

    fn is_some(&self, name: Option<super::source::Span>) -> bool {
        name.is_some_and(|name| self.sources.slice(name) == "Some")
    }

    /// The schema of what the tree's enum variant holds.
    fn payload(&self, schema: &'a Value, tree: &Tree) -> Option<&'a Value> {
        let name = self.sources.slice(tree.name()?);
        let variants = schema.get("oneOf").or(schema.get("anyOf"))?.as_array()?;
        variants.iter().find_map(|variant| variant.get("properties")?.get(name))
    }

    /// A variant is transparent in a port's path.
    fn variant(&mut self, payload: &'a Value, tree: &'a Tree, path: String) {
        match &tree.shape {
            Shape::Fields(_, entries) => self.fields(payload, entries, &path),
            Shape::Tuple(_, items) => match payload.get("prefixItems").and_then(Value::as_array) {
                Some(schemas) => {
                    for (i, (schema, item)) in schemas.iter().zip(items).enumerate() {
                        self.value(schema, item, format!("{path}.{i}"));
                    }
                }
                None => items.iter().take(1).for_each(|item| self.value(payload, item, path.clone())),
            },
            _ => {}
        }
    }
}

/// The first sentence of a documentation.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph,
    }
}

fn doc(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// What is written, in words: "the number 1.5".
pub(super) fn found(sources: &Sources, tree: &Tree) -> String {
    let written = shorten(sources.slice(tree.span));
    match &tree.shape {
        Shape::Atom if tree.text(sources).is_some() => format!("the text {written}"),
        Shape::Atom if written.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            format!("the number {written}")
        }
        Shape::Atom if matches!(written.as_str(), "true" | "false") => format!("`{written}`"),
        Shape::Atom if written.starts_with('\'') => format!("the character {written}"),
        Shape::Atom => format!("the name `{written}`"),
        Shape::Text(text) => format!("the text {}", shorten(&format!("{text:?}"))),
        Shape::List(_) => "a list in `[…]`".to_owned(),
        Shape::Map(_) => "a map in `{…}`".to_owned(),
        Shape::Fields(Some(name), _) | Shape::Tuple(Some(name), _) => format!("`{}(…)`", sources.slice(*name)),
        Shape::Fields(None, _) => "fields in `(…)`".to_owned(),
        Shape::Tuple(None, items) if items.len() == 1 => "one value in `(…)`".to_owned(),
        Shape::Tuple(None, items) => format!("{} values in `(…)`", items.len()),
        Shape::Broken => "a mistake".to_owned(),
    }
}
