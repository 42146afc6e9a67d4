//! Text cut into tokens, whether it is RON or not: for the formatter, and for an editor in which it is being written.

use std::ops::Range;

use super::scan::{comment, ends_word, is_space, literal};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) what: What,
    /// Its bytes.
    pub(crate) range: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// White space.
    Space,
    /// `// …` without its line end, or `/* … */`.
    Comment,
    /// A text or character in quotes.
    Literal,
    /// A name, a number, or anything else.
    Word,
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
    /// `,`.
    Comma,
    /// `:`.
    Colon,
}

/// All of a text, piece by piece: the ranges follow each other without a gap.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    cut(text, |rest| literal(rest).unwrap_or(rest.len()))
}

/// As [`tokens`], of a text that is being written: a quote that is still open ends with its line, before what closes
/// brackets there.
pub(crate) fn tokens_so_far(text: &str) -> Vec<Token> {
    cut(text, |rest| {
        let line = rest.lines().next().unwrap_or_default();
        match literal(rest) {
            Some(length) if length <= line.len() => length,
            _ => line.trim_end_matches([' ', ',', ')', ']', '}']).len().max(1),
        }
    })
}

fn cut(text: &str, quoted: impl Fn(&str) -> usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (what, length) = next(&text[at..], first, &quoted);
        tokens.push(Token { what, range: at..at + length });
        at += length;
    }
    tokens
}

fn next(rest: &str, first: char, quoted: impl Fn(&str) -> usize) -> (What, usize) {
    let single = |what| (what, first.len_utf8());
    match first {
        c if is_space(c) => (What::Space, rest.find(|c| !is_space(c)).unwrap_or(rest.len())),
        '(' | '[' | '{' => single(What::Open(first)),
        ')' | ']' | '}' => single(What::Close(first)),
        ',' => single(What::Comma),
        ':' => single(What::Colon),
        '/' if comment(rest) > 0 => (What::Comment, rest[..comment(rest)].trim_end_matches('\r').len()),
        _ if literal(rest) != Some(0) => (What::Literal, quoted(rest)),
        _ => (What::Word, rest[first.len_utf8()..].find(ends_word).map_or(rest.len(), |end| first.len_utf8() + end)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_open_quote_ends_with_its_line() {
        let text = "A(text: \"cli),\n b: \"x\")";
        let pieces = |tokens: Vec<Token>| -> Vec<&str> { tokens.into_iter().map(|token| &text[token.range]).collect() };
        let so_far = pieces(tokens_so_far(text));
        assert_eq!(so_far, ["A", "(", "text", ":", " ", "\"cli", ")", ",", "\n ", "b", ":", " ", "\"x\"", ")"]);
        assert_eq!(pieces(tokens(text))[5], "\"cli),\n b: \"");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[(){}\\[\\],:\"'r#/* \n\r\\\\abé1.-]*") {
            for tokens in [tokens(&text), tokens_so_far(&text)] {
                let joined: String = tokens.iter().map(|token| &text[token.range.clone()]).collect();
                prop_assert_eq!(&joined, &text);
            }
        }
    }
}
