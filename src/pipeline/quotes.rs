//! Finds the double quote that is missing.
//!
//! Where one is, what is text and what is not change places from there on, so that a parser complains at the end of the
//! file, or about a word in the middle of what was meant to be text.

use super::scan::{comment, literal};

/// A quote that is missing: where the text begins that it is missing from, and at which end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The text that begins with the quote at this byte is not closed.
    Closing(usize),
    /// What begins at this byte is closed, and not opened.
    Opening(usize),
}

/// The first quote that is missing, if the quotes of the whole text do not come in pairs.
///
/// The first text that touches a word is where the pairs went wrong: in front, and its opening quote is another's closing
/// one; behind, and its closing quote is another's opening one.
pub(super) fn missing(text: &str) -> Option<Missing> {
    let mut suspect = None;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let c = rest.chars().next()?;
        let skip = comment(rest);
        let starts = skip == 0 && (matches!(c, '"' | '\'') || matches!(c, 'r' | 'b') && !touches_word(&text[..at]));
        let length = if starts { literal(rest) } else { Some(0) };
        match length {
            Some(0) => at += skip.max(c.len_utf8()),
            Some(length) => {
                suspect = suspect.or_else(|| if c == '"' { wrong(text, at, at + length) } else { None });
                at += length;
            }
            None if c == '\'' => return None,
            None => return Some(suspect.or_else(|| unopened(text, at)).unwrap_or(Missing::Closing(at))),
        }
    }
    None
}

/// What is wrong with the text between two bytes.
fn wrong(text: &str, start: usize, end: usize) -> Option<Missing> {
    let closing = || text[end..].starts_with(is_of_word).then_some(Missing::Closing(start));
    unopened(text, start).or_else(closing)
}

/// The word right before a quote, which closes it and opens nothing.
fn unopened(text: &str, quote: usize) -> Option<Missing> {
    let before = &text[..quote];
    let word =
        before.rfind(|c| !is_of_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    (word < quote).then_some(Missing::Opening(word))
}

fn touches_word(before: &str) -> bool {
    before.ends_with(is_of_word)
}

/// What stands in words, paths and numbers, and neither before nor after a text.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(bool, &str)> {
        missing(text).map(|missing| match missing {
            Missing::Closing(at) => (false, &text[at..(at + 5).min(text.len())]),
            Missing::Opening(at) => (true, &text[at..(at + 5).min(text.len())]),
        })
    }

    #[test]
    fn the_first_text_that_touches_a_word_is_the_one() {
        let name = "P(\n  name: \"x,\n  nodes: {\"d\": D(file: \"a/b\"), \"c\": C(data: \"d\")})";
        assert_eq!(found(name), Some((false, "\"x,\n ")));
        assert_eq!(found("P(nodes: {\"dig: D(file: \"a/b\"), \"c\": C(data: \"d\")})"), Some((false, "\"dig:")));
        assert_eq!(found("P(nodes: {\"d\": D(file: data/b\"), \"c\": C(data: \"d\")})"), Some((true, "data/")));
        assert_eq!(found("P(nodes: {\"d\": D(file: \"data/b)})"), Some((false, "\"data")));
        assert_eq!(found("P(nodes: {\"d\": D(file: data/b\")})"), Some((true, "data/")));
    }

    #[test]
    fn quotes_in_pairs_miss_nothing() {
        for text in ["", "P(a: \"x\", /* \" */ b: r#\"\"\"#, c: '\"') // \"", "P(a: \"x\"y)", "P(a: b\"x\", r: bar)"] {
            assert_eq!(found(text), None, "{text}");
        }
        let lines = "P(a: \"one\ntwo\", b: \"x)";
        assert_eq!(found(lines), Some((false, "\"x)")), "a text of two lines is whole");
    }
}
