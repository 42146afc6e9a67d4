//! Gives fields their types, all mistakes at once.
//!
//! ron stops at the first mistake. So a struct that does not parse is parsed again once for each field, with
//! only that field in it: what is then wrong, except that the others are missing, is wrong with that field.

use std::collections::HashSet;

use ron::error::{Error, SpannedError};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::describe::{Description, Field, found};
use super::draft::{Draft, Findings};
use super::finding::Branch;
use super::fragment::Fragment;
use super::source::Sources;
use super::suggest::{closest, instead, quoted};
use super::syntax::{offset, options};
use super::tree::{Entry, Place, Tree};
use super::words::shorten;

/// Reads the fields of a struct.
pub(super) struct Reader<'a> {
    /// The texts.
    pub(super) sources: &'a Sources,
    /// What is known of the struct.
    pub(super) description: &'a Description,
    /// What has the fields, for messages: "`Digits`".
    pub(super) owner: &'a str,
    /// Where a missing field is told.
    pub(super) place: Place,
}

impl Reader<'_> {
    /// The struct; `None` when there are mistakes, which are then in `findings`.
    pub(super) fn read<T: DeserializeOwned>(&self, entries: &[Entry], findings: &mut Findings) -> Option<T> {
        self.read_with(entries, findings, |text| options().from_str::<T>(text))
    }

    /// As [`Reader::read`], by a function that parses the text.
    pub(super) fn read_with<T>(
        &self,
        entries: &[Entry],
        findings: &mut Findings,
        parse: impl Fn(&str) -> Result<T, SpannedError>,
    ) -> Option<T> {
        let before = findings.count();
        let known = self.known(entries, findings);
        let complete = findings.count() == before;
        self.values(&known, complete, findings, parse)
    }

    /// The entries that are fields; unknown and missing ones are told.
    pub(super) fn known<'e>(&self, entries: &'e [Entry], findings: &mut Findings) -> Vec<&'e Entry> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| self.description.field(&entry.key.text).is_some());
        self.missing(entries, findings);
        for Entry { key, .. } in unknown {
            let help = instead(&key.text, &self.description.names(), "fields");
            let message = format!("{} has no field `{}`", self.owner, shorten(&key.text));
            findings.push(Draft::error(message).at(key.place(), "unknown field").help(help));
        }
        known
    }

    /// The required field that a name which is none is meant to be.
    fn meant(&self, name: &str) -> Option<&str> {
        let required = self.description.fields.iter().filter(|field| field.required).map(|field| field.name.as_str());
        closest(name, self.description.names()).filter(|close| required.clone().any(|name| name == *close))
    }

    /// The struct that has these values, if they are all right and there are no others to come.
    pub(super) fn values<T>(
        &self,
        entries: &[&Entry],
        complete: bool,
        findings: &mut Findings,
        parse: impl Fn(&str) -> Result<T, SpannedError>,
    ) -> Option<T> {
        let before = findings.count();
        let sound: Vec<&Entry> = entries.iter().filter(|entry| !entry.value.broken()).copied().collect();
        if !complete || sound.len() < entries.len() {
            self.each(&sound, findings, &parse);
            return None;
        }
        let error = match parse(&Fragment::of_fields(self.sources, sound.iter().copied()).text) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.each(&sound, findings, &parse);
        if findings.count() == before {
            let message = format!("{} cannot be read: {}", self.owner, error.code);
            findings.push(Draft::error(message).at(self.place, "in here"));
        }
        None
    }

    /// Tells what is not there, under a wrong name neither.
    fn missing(&self, entries: &[Entry], findings: &mut Findings) {
        let names = || entries.iter().map(|entry| entry.key.text.as_str());
        let unknown = names().filter(|name| self.description.field(name).is_none());
        let given: HashSet<&str> = names().chain(unknown.filter_map(|name| self.meant(name))).collect();
        let missing = |field: &&Field| field.required && !given.contains(field.name.as_str());
        let missing: Vec<&Field> = self.description.fields.iter().filter(missing).collect();
        if missing.is_empty() {
            return;
        }
        let names = quoted(missing.iter().map(|field| field.name.as_str()));
        let help: Vec<String> = missing.iter().map(|field| self.description.hint(field)).collect();
        let draft = Draft::error(format!("{} needs {names}", self.owner));
        findings.push(draft.at(self.place, format!("{names} missing")).help(help.join("\n")));
    }

    fn each<T>(&self, entries: &[&Entry], findings: &mut Findings, parse: &impl Fn(&str) -> Result<T, SpannedError>) {
        for entry in entries {
            let alone = Fragment::of_fields(self.sources, [*entry]);
            let Err(error) = parse(&alone.text) else { continue };
            let at = offset(&alone.text, error.span.end);
            // Past the value, it is the other fields that are missing.
            if at < alone.end_of_value() + 1 || !matches!(error.code, Error::MissingStructField { .. }) {
                findings.push(self.mistake(entry, &alone, at, &error.code));
            }
        }
    }

    fn mistake(&self, entry: &Entry, fragment: &Fragment<'_>, at: usize, error: &Error) -> Draft {
        let around = || fragment.around(at).unwrap_or(entry.value.place());
        let touching = fragment.touching(at).unwrap_or(entry.value.place());
        let inner = self.innermost(entry, touching);
        let name = &inner.name;
        match error {
            Error::Message(message) if message.starts_with("must ") => {
                let draft = Draft::error(format!("`{name}` {message}")).at(touching, "not allowed");
                draft.help(self.help(&inner)).branch(self.branch(entry, &inner))
            }
            Error::Message(message) => {
                Draft::error(format!("`{name}`: {message}")).at(touching, "not allowed").help(self.help(&inner))
            }
            Error::IntegerOutOfBounds => {
                Draft::error(format!("`{name}` is out of range")).at(touching, "not allowed").help(self.help(&inner))
            }
            Error::NoSuchStructField { expected, found, outer } => {
                Draft::error(format!("`{}` has no field `{found}`", outer.as_deref().unwrap_or(name)))
                    .at(touching, "unknown field")
                    .help(instead(found, expected, "fields"))
            }
            Error::MissingStructField { field: missing, outer } => {
                Draft::error(format!("`{}` needs `{missing}`", outer.as_deref().unwrap_or(name)))
                    .at(self.name(entry, around()), format!("`{missing}` missing"))
                    .help(self.help(&inner))
            }
            Error::NoSuchEnumVariant { expected, found, .. } => Draft::error(format!("`{name}` cannot be `{found}`"))
                .at(self.name(entry, touching), "unknown")
                .help(instead(found, expected, "choices")),
            Error::ExpectedDifferentLength { .. } | Error::ExpectedStructLikeEnd => {
                self.ill_typed(&self.innermost(entry, around()))
            }
            _ => self.ill_typed(&inner),
        }
    }

    /// The revision that is no commit, with the repository beside it.
    fn branch(&self, entry: &Entry, revision: &Inner<'_>) -> Option<Branch> {
        revision.schema?.get("x-commit")?;
        let beside = parent(&entry.value, revision.tree)?.entry("repo")?;
        let text = |tree: &Tree| tree.text(self.sources).filter(|text| !text.is_empty());
        Some(Branch { repo: text(&beside.value)?, revision: text(revision.tree)? })
    }

    /// Only the name of `Name(…)`.
    fn name(&self, entry: &Entry, place: Place) -> Place {
        let tree = find(&entry.value, place);
        let name = tree.and_then(Tree::name);
        Place { span: name.unwrap_or(place.span), via: place.via }
    }

    /// The innermost value that holds a place, as far as the schema goes.
    fn innermost<'e>(&'e self, entry: &'e Entry, place: Place) -> Inner<'e> {
        let field = entry.key.text.clone();
        let named = self.description.schema(&field);
        let mut inner = Inner { name: field, inside: false, schema: None, named, tree: &entry.value };
        let mut before = String::new();
        self.description.walk(self.sources, entry, &mut |path, schema, tree| {
            if find(tree, place).is_some() {
                let is_index = |name: &&str| name.parse::<usize>().is_ok();
                let inside = path.rsplit('.').next().is_some_and(|name| is_index(&name));
                let name = path.rsplit('.').find(|name| !is_index(name)).unwrap_or(path).to_owned();
                // What a variant holds has the path of the variant.
                let named = if inside || path == before { inner.named } else { Some(schema) };
                path.clone_into(&mut before);
                inner = Inner { name, inside, schema: Some(schema), named, tree };
            }
        });
        inner
    }

    fn ill_typed(&self, inner: &Inner<'_>) -> Draft {
        let Inner { name, inside, schema, tree, .. } = inner;
        let takes = schema.map_or("another value".to_owned(), |schema| self.description.takes_schema(schema));
        let inside = if *inside { "inside " } else { "" };
        Draft::error(format!("{inside}`{name}`: expected {takes}; found {}", found(self.sources, tree)))
            .at(tree.place(), "not expected")
            .help(self.form(tree, *schema).unwrap_or_else(|| self.help(inner)))
    }

    /// Advice on how to write what was meant.
    fn form(&self, tree: &Tree, schema: Option<&Value>) -> Option<String> {
        let text = tree.text(self.sources);
        let variants = schema.map(|schema| self.description.variants(schema)).unwrap_or_default();
        let is_bare = |text: &String| {
            variants.contains(text) || schema.is_some_and(|schema| self.description.is_plain(schema, text))
        };
        if let Some(name) = text.filter(is_bare) {
            return Some(format!("write it without quotes: `{name}`"));
        }
        let bare = tree.name().filter(|name| *name == tree.span).map(|name| self.sources.slice(name));
        let wants_text = schema.is_some_and(|schema| schema.get("type").is_some_and(|name| name == "string"));
        bare.filter(|bare| wants_text && bare.starts_with(char::is_alphabetic))
            .map(|bare| format!("text goes in double quotes: `\"{bare}\"`"))
    }

    /// What the value is, and what it is for.
    fn help(&self, inner: &Inner<'_>) -> String {
        inner.named.map(|schema| self.description.hint_of(&inner.name, schema)).unwrap_or_default()
    }
}

/// A value inside a field.
struct Inner<'e> {
    /// The name of the field or key that is closest.
    name: String,
    /// Whether it is an item of what has that name.
    inside: bool,
    /// What the value must be.
    schema: Option<&'e Value>,
    /// What that which has the name must be.
    named: Option<&'e Value>,
    tree: &'e Tree,
}

/// The value that directly holds another one.
fn parent<'t>(tree: &'t Tree, child: &Tree) -> Option<&'t Tree> {
    let holds = tree.children().any(|other| std::ptr::eq(other, child));
    if holds { Some(tree) } else { tree.children().find_map(|inside| parent(inside, child)) }
}

/// The value at a place.
fn find(tree: &Tree, place: Place) -> Option<&Tree> {
    if tree.span == place.span {
        return Some(tree);
    }
    tree.children().find_map(|child| find(child, place))
}
