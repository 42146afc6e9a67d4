//! Reads text that ron accepts into a [`Tree`].
//!
//! ron is the judge of syntax ([`super::syntax`]); this only finds out what stands where, in one pass, so
//! that every nested value has its place. It is therefore lenient, and answers `None` where it is lost.

use super::source::Span;
use super::tree::{Entry, Key, Shape, Tree, unquote};

/// The tree of a text that ron accepts, which starts at the byte `from`.
pub(super) fn scan(source: usize, text: &str, from: usize) -> Option<Tree> {
    let mut scanner = Scanner { source, text, at: from };
    scanner.attributes()?;
    let tree = scanner.value()?;
    scanner.blank();
    (scanner.at == text.len()).then_some(tree)
}

struct Scanner<'a> {
    source: usize,
    text: &'a str,
    at: usize,
}

/// What ron takes for white space.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}')
}

/// Whether a name or number ends before it.
pub(super) fn ends_word(c: char) -> bool {
    is_space(c) || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' | '"' | '\'' | '/')
}

/// The length of a comment at the start of `text`, 0 when there is none.
pub(super) fn comment(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") { block_comment(text) } else { 0 }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string or character literal at the start of `text`, 0 when there is none; an unclosed
/// one is `None`.
pub(super) fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "b", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        match *prefix {
            "br" | "r" => rest.trim_start_matches('#').starts_with('"'),
            _ => rest.starts_with(['"', '\'']),
        }
    });
    let Some(prefix) = prefix else { return Some(0) };
    let rest = &text[prefix.len()..];
    let length = if prefix.ends_with('r') { raw(rest)? } else { escaped(rest)? };
    Some(prefix.len() + length)
}

fn raw(text: &str) -> Option<usize> {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", &text[..hashes]);
    let inside = text.get(hashes + 1..)?;
    Some(hashes + 1 + inside.find(&end)? + end.len())
}

fn escaped(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut chars = text.char_indices().skip(1);
    // `'''` is the character ', which needs no escape.
    let bare_quote = quote == '\'' && text.starts_with("'''");
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            c if c == quote && !(bare_quote && at == 1) => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn span(&self, start: usize) -> Span {
        Span { source: self.source, start, end: self.at }
    }

    fn tree(&self, start: usize, shape: Shape) -> Tree {
        Tree { span: self.span(start), via: None, shape }
    }

    /// Skips white space and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(is_space).len();
            let skip = spaces + comment(&rest[spaces..]);
            if skip == 0 {
                return;
            }
            self.at += skip;
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    /// Skips `#![enable(…)]` at the start.
    fn attributes(&mut self) -> Option<()> {
        self.blank();
        while self.rest().starts_with('#') {
            while !self.eat(']') {
                self.at += match literal(self.rest())? {
                    0 => self.rest().chars().next()?.len_utf8(),
                    length => length,
                };
            }
            self.blank();
        }
        Some(())
    }

    fn value(&mut self) -> Option<Tree> {
        self.blank();
        let start = self.at;
        match self.rest().chars().next()? {
            '(' => self.parentheses(start, None),
            '[' => {
                self.eat('[');
                let items = self.separated(']', Self::value)?;
                Some(self.tree(start, Shape::List(items)))
            }
            '{' => {
                self.eat('{');
                let entries = self.separated('}', |s| s.entry(Self::map_key))?;
                Some(self.tree(start, Shape::Map(entries)))
            }
            _ => self.word(start),
        }
    }

    /// A number, literal or name, and what is in parentheses after a name.
    fn word(&mut self, start: usize) -> Option<Tree> {
        match literal(self.rest())? {
            0 => self.at += self.word_length()?,
            length => {
                self.at += length;
                return Some(self.tree(start, Shape::Atom));
            }
        }
        let name = self.tree(start, Shape::Atom);
        self.blank();
        if self.rest().starts_with('(') { self.parentheses(start, Some(name.span)) } else { Some(name) }
    }

    fn word_length(&self) -> Option<usize> {
        let rest = self.rest();
        let length = rest.find(ends_word).unwrap_or(rest.len());
        (length > 0).then_some(length)
    }

    fn parentheses(&mut self, start: usize, name: Option<Span>) -> Option<Tree> {
        self.eat('(');
        let shape = if self.field_follows() {
            Shape::Fields(name, self.separated(')', |s| s.entry(Self::field_name))?)
        } else {
            match self.separated(')', Self::value)? {
                none if none.is_empty() => Shape::Fields(name, Vec::new()),
                items => Shape::Tuple(name, items),
            }
        };
        Some(self.tree(start, shape))
    }

    /// Whether a name and a colon come next.
    fn field_follows(&mut self) -> bool {
        let start = self.at;
        self.blank();
        let found = literal(self.rest()) == Some(0)
            && self.word_length().is_some_and(|length| {
                self.at += length;
                self.blank();
                self.rest().starts_with(':')
            });
        self.at = start;
        found
    }

    fn entry(&mut self, key: impl FnOnce(&mut Self) -> Option<Key>) -> Option<Entry> {
        let key = key(self)?;
        self.blank();
        if !self.eat(':') {
            return None;
        }
        Some(Entry { key, value: self.value()? })
    }

    fn field_name(&mut self) -> Option<Key> {
        self.blank();
        let start = self.at;
        self.at += self.word_length()?;
        let text = &self.text[start..self.at];
        Some(Key { span: self.span(start), text: text.trim_start_matches("r#").to_owned(), quoted: false })
    }

    fn map_key(&mut self) -> Option<Key> {
        let span = self.value()?.span;
        let written = &self.text[span.start..span.end];
        let text = unquote(written);
        let quoted = text.is_some();
        Some(Key { span, text: text.unwrap_or_else(|| written.to_owned()), quoted })
    }

    fn separated<T>(&mut self, close: char, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.eat(close) {
                return Some(items);
            }
            items.push(item(self)?);
            self.blank();
            if !self.eat(',') && !self.rest().starts_with(close) {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::super::syntax::options;
    use super::*;

    fn assert_children_are_inside(text: &str, tree: &Tree) {
        assert!(text.get(tree.span.start..tree.span.end).is_some());
        for child in tree.children() {
            assert!(tree.span.start <= child.span.start && child.span.end <= tree.span.end);
            assert_children_are_inside(text, child);
        }
    }

    #[test]
    fn literals_end_where_ron_ends_them() {
        let whole = [
            r#""a""#,
            r#""a\"b""#,
            r#""a\\""#,
            r##"r#"a"b"#"##,
            r#"r"\""#,
            r#"b"x""#,
            r##"br#"x"#"##,
            "'x'",
            r"'\''",
            "'''",
            "b'x'",
        ];
        for text in whole {
            assert!(options().from_str::<IgnoredAny>(text).is_ok(), "{text}");
            assert_eq!(literal(&format!("{text} ,")), Some(text.len()), "{text}");
        }
        for text in ["r#type", "real", "b", "bread", "1.5", "(", ""] {
            assert_eq!(literal(text), Some(0), "{text}");
        }
        for text in [r#""a"#, r##"r#"a""##, "'a", r#""a\""#] {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    #[test]
    fn comments_and_attributes_are_skipped() {
        let text = "#![enable(implicit_some)]\n// a\n/* b /* c */ */ P( /* x: */ a : 1 , // y\n b: [ ] , ) // end";
        let tree = scan(0, text, 0).unwrap();
        let keys: Vec<&str> = tree.entries().unwrap().iter().map(|entry| entry.key.text.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
    }

    const WORDS: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "a",
        "Name",
        "r#type",
        "1",
        "-1.5e3",
        "0x1F_u8",
        "'x'",
        r"'\''",
        r#""t""#,
        r#""\"""#,
        r##"r#"("#"##,
        r#"b"x""#,
        " ",
        "\n",
        "//c\n",
        "/*(*/",
        "None",
        "Some(1)",
        "true",
        "inf",
        "a: 1",
        "(a: 1)",
        r#""k": [1, 2]"#,
        "N(x, y)",
        "()",
    ];

    proptest! {
        /// What ron accepts, the scanner reads.
        #[test]
        fn it_reads_what_ron_accepts(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..12)) {
            let text = words.concat();
            if options().from_str::<IgnoredAny>(&text).is_ok() {
                let tree = scan(0, &text, 0);
                prop_assert!(tree.is_some(), "{text:?}");
                tree.iter().for_each(|tree| assert_children_are_inside(&text, tree));
            }
        }
    }
}
