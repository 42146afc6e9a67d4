//! RON as a tree of places: what stands where, with no idea yet of what it means.
//!
//! `Param`, `--set` and `--params` are edits of this tree; a part of it is given a type by rendering it back
//! to text ([`super::fragment`]) for ron.

use super::source::{Sources, Span};

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Where it is written.
    pub(super) span: Span,
    /// The `Param(…)` that it stands in for.
    pub(super) via: Option<Span>,
    /// What is inside.
    pub(super) shape: Shape,
}

/// How a value is written.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A number, text, character or bare name.
    Atom,
    /// Text that is not as it is written: with the values of axes in it.
    Text(String),
    /// `Name(field: value, …)`; the name may be absent.
    Fields(Option<Span>, Vec<Entry>),
    /// `Name(value, …)`; the name may be absent.
    Tuple(Option<Span>, Vec<Tree>),
    /// `[value, …]`.
    List(Vec<Tree>),
    /// `{key: value, …}`.
    Map(Vec<Entry>),
    /// A mistake that has been told: nothing more is said of it.
    Broken,
}

/// A field, or an entry of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What is before the colon.
    pub(super) key: Key,
    /// What is after it.
    pub(super) value: Tree,
}

/// The name of a field, or the key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Where it is written.
    pub(super) span: Span,
    /// The name without quotes and escapes.
    pub(super) text: String,
    /// Whether it is text, in quotes.
    pub(super) quoted: bool,
}

/// A place to point at: a value or a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Where it is written.
    pub(super) span: Span,
    /// The `Param(…)` that it stands in for.
    pub(super) via: Option<Span>,
}

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self { span, via: None }
    }
}

impl Key {
    /// Where it is written.
    pub(super) fn place(&self) -> Place {
        self.span.into()
    }
}

impl Tree {
    /// Where it is written.
    pub(super) fn place(&self) -> Place {
        Place { span: self.span, via: self.via }
    }

    /// The name before the parentheses, or the whole of a bare name.
    pub(super) fn name(&self) -> Option<Span> {
        match &self.shape {
            Shape::Atom => Some(self.span),
            Shape::Fields(name, _) | Shape::Tuple(name, _) => *name,
            _ => None,
        }
    }

    /// Its text, when it is text in quotes.
    pub(super) fn text(&self, sources: &Sources) -> Option<String> {
        match &self.shape {
            Shape::Atom => unquote(sources.slice(self.span)),
            Shape::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Its entries, when it has such.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.shape {
            Shape::Fields(_, entries) | Shape::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Its entries, when it is a map.
    pub(super) fn map(&self) -> Option<&[Entry]> {
        match &self.shape {
            Shape::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// As [`Tree::entries`], to edit.
    pub(super) fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.shape {
            Shape::Fields(_, entries) | Shape::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of this name.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key.text == name)
    }

    /// Every value directly inside.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Tree> + '_> {
        match &self.shape {
            Shape::Atom | Shape::Text(_) | Shape::Broken => Box::new(std::iter::empty()),
            Shape::Fields(_, entries) | Shape::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
            Shape::Tuple(_, items) | Shape::List(items) => Box::new(items.iter()),
        }
    }

    /// As [`Tree::children`], to edit.
    pub(super) fn children_mut(&mut self) -> Box<dyn Iterator<Item = &mut Tree> + '_> {
        match &mut self.shape {
            Shape::Atom | Shape::Text(_) | Shape::Broken => Box::new(std::iter::empty()),
            Shape::Fields(_, entries) | Shape::Map(entries) => {
                Box::new(entries.iter_mut().map(|entry| &mut entry.value))
            }
            Shape::Tuple(_, items) | Shape::List(items) => Box::new(items.iter_mut()),
        }
    }

    /// Whether a told mistake is in it.
    pub(super) fn broken(&self) -> bool {
        matches!(self.shape, Shape::Broken) || self.children().any(Tree::broken)
    }

    /// The same value, standing in for a `Param(…)`.
    pub(super) fn standing_in_for(mut self, param: Span) -> Tree {
        self.mark(param);
        self
    }

    fn mark(&mut self, param: Span) {
        self.via = Some(param);
        self.children_mut().for_each(|child| child.mark(param));
    }
}

/// The text of a string literal; `None` when it is something else.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    if !literal.starts_with(['"', 'r']) {
        return None;
    }
    match literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Some(plain.to_owned()),
        _ => ron::from_str(literal).ok(),
    }
}
