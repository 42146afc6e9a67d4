//! What stands where in a text that is being written: what is not closed, or not said yet, is taken as far as it goes.

use std::ops::Range;

use crate::pipeline::tokens::{Token, What, tokens_so_far};

/// A value, as far as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// A bare name or number, or the name before the parentheses.
    pub(super) name: Option<Range<usize>>,
    /// What it is.
    pub(super) form: Form,
}

/// How a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// A number or bare name.
    Word,
    /// Text in quotes.
    Text,
    /// `(…)`, `[…]` or `{…}`: its opening bracket and what is inside.
    Inside(char, Vec<Item>),
}

/// What is between two commas: a field, an entry of a map, or a value. It may be nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// All of its bytes, with the white space around.
    pub(super) slot: Range<usize>,
    /// What is before the colon.
    pub(super) key: Option<Key>,
    /// What is after it, or the whole.
    pub(super) value: Option<Value>,
}

/// What is before a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its bytes, with quotes.
    pub(super) range: Range<usize>,
    /// Where the colon is.
    pub(super) colon: usize,
}

impl Value {
    /// What is inside.
    pub(super) fn items(&self) -> &[Item] {
        match &self.form {
            Form::Inside(_, items) => items,
            _ => &[],
        }
    }

    /// The item with this key.
    pub(super) fn item<'v>(&'v self, text: &str, key: &str) -> Option<&'v Item> {
        self.items().iter().find(|item| item.key(text).as_deref() == Some(key))
    }
}

impl Item {
    /// Its key without quotes.
    pub(super) fn key(&self, text: &str) -> Option<String> {
        let written = text.get(self.key.as_ref()?.range.clone())?;
        Some(unquoted(written).unwrap_or_else(|| written.to_owned()))
    }
}

/// The text of a literal, also where its quote is still open; `None` for what is no text.
pub(super) fn unquoted(written: &str) -> Option<String> {
    crate::pipeline::unquote(written).or_else(|| Some(written.strip_prefix('"')?.trim_end_matches('"').to_owned()))
}

/// The value that a text holds.
pub(super) fn outline(text: &str) -> Option<Value> {
    let all = tokens_so_far(text);
    let tokens: Vec<&Token> = all.iter().filter(|token| !matches!(token.what, What::Space | What::Comment)).collect();
    let mut reader = Reader { text, tokens, at: 0, open: Vec::new() };
    reader.attributes();
    reader.value()
}

/// Brackets deeper than this are not looked into: no pipeline has them, and each takes stack.
const DEEPEST: usize = 100;

struct Reader<'t> {
    text: &'t str,
    tokens: Vec<&'t Token>,
    at: usize,
    open: Vec<char>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<What> {
        self.tokens.get(self.at + ahead).map(|token| token.what)
    }

    fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |token| token.range.clone())
    }

    /// Skips `#![enable(…)]`.
    fn attributes(&mut self) {
        while self.text[self.range()].starts_with('#') {
            while self.peek(0).is_some_and(|what| what != What::Close(']')) {
                self.at += 1;
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Option<Value> {
        let range = self.range();
        match self.peek(0)? {
            What::Open(open) => self.is_shallow().then(|| self.inside(range.start, None, open)),
            What::Literal => {
                self.at += 1;
                Some(Value { range, name: None, form: Form::Text })
            }
            What::Word => {
                self.at += 1;
                match self.peek(0) {
                    Some(What::Open('(')) if self.is_shallow() => Some(self.inside(range.start, Some(range), '(')),
                    _ => Some(Value { range: range.clone(), name: Some(range), form: Form::Word }),
                }
            }
            _ => None,
        }
    }

    fn is_shallow(&self) -> bool {
        self.open.len() < DEEPEST
    }

    fn inside(&mut self, start: usize, name: Option<Range<usize>>, open: char) -> Value {
        self.at += 1;
        self.open.push(open);
        let mut items = Vec::new();
        let mut from = self.tokens[self.at - 1].range.end;
        loop {
            let item = self.item(from, open);
            let until = item.slot.end;
            items.push(item);
            let comma = self.peek(0) == Some(What::Comma);
            // A comma may be missing yet.
            if !comma && (!self.begins_entry() || self.of_outside(open)) {
                self.open.pop();
                return Value { range: start..self.close(open, until), name, form: Form::Inside(open, items) };
            }
            from = until + usize::from(comma);
            self.at += usize::from(comma);
        }
    }

    /// Takes the closing bracket, unless another one comes, that closes something around.
    fn close(&mut self, open: char, until: usize) -> usize {
        match self.peek(0) {
            Some(What::Close(close)) if close == closing(open) => {
                self.at += 1;
                until + 1
            }
            _ => until,
        }
    }

    /// What stands before the next comma or closing bracket.
    fn item(&mut self, from: usize, open: char) -> Item {
        let mut item = Item { slot: from..from, key: None, value: None };
        if self.of_outside(open) {
            item.slot.end = self.tokens[self.at - 1].range.end;
            return item;
        }
        if self.begins_entry() {
            item.key = Some(Key { range: self.range(), colon: self.tokens[self.at + 1].range.start });
            self.at += 2;
        }
        while self.goes_on() {
            match self.value() {
                Some(value) if item.value.is_none() => item.value = Some(value),
                Some(_) => {}
                None => self.at += 1,
            }
        }
        item.slot.end = self.range().start;
        item
    }

    /// Whether the item has not ended: the next one ends it, too, where a comma is missing before that.
    fn goes_on(&self) -> bool {
        match self.peek(0) {
            None | Some(What::Comma) => false,
            Some(What::Close(close)) => !self.open.iter().any(|&open| closing(open) == close),
            _ => !self.begins_entry(),
        }
    }

    /// Whether a name and a colon come.
    fn begins_entry(&self) -> bool {
        self.peek(1) == Some(What::Colon) && matches!(self.peek(0), Some(What::Word | What::Literal))
    }

    /// Whether what comes can only belong to what is around: an entry of a map in `(…)`, or a field in `{…}`.
    fn of_outside(&self, open: char) -> bool {
        let is_around = |wanted| self.open.iter().rev().skip(1).any(|&open| open == wanted);
        match (self.peek(0), self.peek(1)) {
            (Some(What::Literal), Some(What::Colon)) => open != '{' && is_around('{'),
            (Some(What::Word), Some(What::Colon)) => open != '(' && is_around('('),
            _ => false,
        }
    }
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(text: &str) -> String {
        fn of(text: &str, value: &Value) -> String {
            let name = value.name.clone().map_or("", |name| &text[name]);
            match &value.form {
                Form::Inside(open, items) => {
                    let items: Vec<String> = items
                        .iter()
                        .map(|item| {
                            let key = item.key(text).map_or(String::new(), |key| format!("{key}:"));
                            format!("{key}{}", item.value.as_ref().map_or("_".to_owned(), |value| of(text, value)))
                        })
                        .collect();
                    format!("{name}{open}{}{}", items.join(" "), closing(*open))
                }
                Form::Word => name.to_owned(),
                Form::Text => text[value.range.clone()].to_owned(),
            }
        }
        outline(text).map_or(String::new(), |value| of(text, &value))
    }

    #[test]
    fn a_whole_text_is_taken_whole() {
        let text = "#![enable(implicit_some)]\nP(a: 1, /* x */ n: {\"k\": A(f: [1, (2, 3)]), \"l\": B()}, // z\n)";
        assert_eq!(shape(text), "P(a:1 n:{k:A(f:[1 (2 3)]) l:B(_)} _)");
        assert_eq!(outline(text).unwrap().range, 26..text.len());
    }

    #[test]
    fn what_is_being_written_does_not_swallow_what_follows() {
        assert_eq!(shape("P(n: {\"k\": A(f: \n \"l\": B(g: 1)}, s: 2)"), "P(n:{k:A(f:_) l:B(g:1)} s:2)");
        assert_eq!(shape("P(n: {\"k\": A(f: 1, st\n \"l\": B(g: 1)})"), "P(n:{k:A(f:1 st) l:B(g:1)})");
        assert_eq!(shape("P(n: {\"k\": A(f: [1, 2), \"l\": B()})"), "P(n:{k:A(f:[1 2]) l:B(_)})");
        assert_eq!(shape("P(n: {\"k\": A(f: \"x), \n \"l\": B()})"), "P(n:{k:A(f:\"x) l:B(_)})");
        assert_eq!(shape("P(n: {\"k\": A(), \n s: 2)"), "P(n:{k:A(_) _} s:2)");
        assert_eq!(shape("P(n: {\"k\": \n}"), "P(n:{k:_})");
    }

    proptest! {
        #[test]
        fn nothing_brings_it_down(text in "[(){}\\[\\],:\"/* \nab1P]*") {
            let _ = shape(&text);
        }
    }
}
