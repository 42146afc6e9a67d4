//! A part of a [`Tree`] as text for ron, and the way back from a position in it.

use std::ops::Range;

use super::source::Sources;
use super::tree::{Entry, Place, Shape, Tree};

/// Text that says the same as a tree, with the place that each piece comes from.
pub(super) struct Fragment<'s> {
    sources: &'s Sources,
    /// The text.
    pub(super) text: String,
    places: Vec<(Range<usize>, Place)>,
}

impl<'s> Fragment<'s> {
    /// A struct without a name that has these fields.
    pub(super) fn of_fields<'t>(sources: &'s Sources, entries: impl IntoIterator<Item = &'t Entry>) -> Self {
        let mut fragment = Self { sources, text: String::from("("), places: Vec::new() };
        entries.into_iter().for_each(|entry| fragment.entry(entry));
        fragment.text.push(')');
        fragment
    }

    /// Where the value of the first field starts and ends.
    pub(super) fn end_of_value(&self) -> usize {
        self.text.len() - ", )".len()
    }

    /// The innermost value or name that ends or starts at a byte; ron is after what it has read, or before
    /// what it cannot take.
    pub(super) fn touching(&self, byte: usize) -> Option<Place> {
        let ends = self.places.iter().find(|(range, _)| range.end == byte);
        let starts = || self.places.iter().find(|(range, _)| range.start == byte);
        ends.or_else(starts).map(|(_, place)| *place).or_else(|| self.around(byte))
    }

    /// The innermost value that starts before a byte and ends after it.
    pub(super) fn around(&self, byte: usize) -> Option<Place> {
        let inside = self.places.iter().filter(|(range, _)| range.start < byte && byte < range.end);
        inside.min_by_key(|(range, _)| range.len()).map(|(_, place)| *place)
    }

    fn entry(&mut self, entry: &Entry) {
        let start = self.text.len();
        let key = &entry.key;
        if key.quoted {
            self.text.push_str(&quote(&key.text));
        } else {
            self.text.push_str(self.sources.slice(key.span));
        }
        self.places.push((start..self.text.len(), key.place()));
        self.text.push_str(": ");
        self.value(&entry.value);
        self.text.push_str(", ");
    }

    fn value(&mut self, tree: &Tree) {
        let start = self.text.len();
        if let (Some(name), false) = (tree.name(), matches!(tree.shape, Shape::Atom)) {
            self.text.push_str(self.sources.slice(name));
        }
        match &tree.shape {
            Shape::Atom => self.text.push_str(self.sources.slice(tree.span)),
            Shape::Text(text) => self.text.push_str(&quote(text)),
            Shape::Fields(_, entries) => self.all('(', entries, Self::entry, ')'),
            Shape::Map(entries) => self.all('{', entries, Self::entry, '}'),
            Shape::Tuple(_, items) => self.all('(', items, Self::item, ')'),
            Shape::List(items) => self.all('[', items, Self::item, ']'),
            Shape::Broken => {}
        }
        self.places.push((start..self.text.len(), tree.place()));
    }

    fn item(&mut self, item: &Tree) {
        self.value(item);
        self.text.push_str(", ");
    }

    fn all<T>(&mut self, open: char, items: &[T], each: impl Fn(&mut Self, &T), close: char) {
        self.text.push(open);
        items.iter().for_each(|item| each(self, item));
        self.text.push(close);
    }
}

/// A text as a literal.
fn quote(text: &str) -> String {
    // Serialising a string cannot fail.
    ron::to_string(text).unwrap_or_default()
}
