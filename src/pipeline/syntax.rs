//! From text to a [`Tree`], or the one syntax error, told better than the parser can.

use ron::Options;
use ron::error::{Error, Position, SpannedError};
use ron::extensions::Extensions;
use serde::de::IgnoredAny;

use super::draft::Draft;
use super::quotes::{Missing, missing};
use super::scan::{comment, literal, scan};
use super::source::{Sources, Span};
use super::tree::Tree;
use super::words::shorten;

/// RON as pipelines are written in it.
pub(super) fn options() -> Options {
    Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_NEWTYPES)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// Reads a piece of a source; what is before `from` is not RON.
pub(super) fn read(sources: &Sources, source: usize, from: usize) -> Result<Tree, Box<Draft>> {
    let text = &sources.text(source)[from..];
    let found = match options().from_str::<IgnoredAny>(text) {
        Ok(_) => {
            scan(source, sources.text(source), from).ok_or_else(|| Complaint::at(0, "this cannot be read as RON", ""))
        }
        Err(error) => Err(explain(text, &error)),
    };
    found.map_err(|complaint| Box::new(complaint.draft(source, from, text)))
}

/// The byte at a position that ron gives.
pub(super) fn offset(text: &str, position: Position) -> usize {
    let line = text.split_inclusive('\n').take(position.line - 1).map(str::len).sum::<usize>();
    let column = text[line..].chars().take(position.col - 1).map(char::len_utf8).sum::<usize>();
    line + column
}

/// A syntax error: what is wrong at one place, what it has to do with another, and what to do.
struct Complaint {
    at: usize,
    message: String,
    help: String,
    other: Option<(usize, &'static str)>,
}

impl Complaint {
    fn at(at: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: help.into(), other: None }
    }

    fn draft(self, source: usize, from: usize, text: &str) -> Draft {
        let span = |at: usize| {
            let length = text[at..].chars().next().filter(|&c| c != '\n').map_or(0, char::len_utf8);
            Span { source, start: from + at, end: from + at + length }
        };
        let mut draft = Draft::error(format!("syntax error: {}", self.message)).at(span(self.at), "here");
        if let Some((at, text)) = self.other {
            draft = draft.at(span(at), text);
        }
        draft.help(self.help)
    }
}

fn explain(text: &str, error: &SpannedError) -> Complaint {
    let at = offset(text, error.span.end).min(text.len());
    let told = match error.code {
        Error::UnclosedBlockComment | Error::ExceededRecursionLimit => in_words(text, at, error),
        _ => unquoted(text)
            .or_else(|| hash(text, at))
            .or_else(|| unbalanced(text, at))
            .or_else(|| in_words(text, at, error)),
    };
    told.unwrap_or_else(|| {
        let message = error.code.to_string();
        Complaint::at(before_space(text, at), lower_first(&message), "")
    })
}

/// A quote that is missing, wherever the parser noticed.
fn unquoted(text: &str) -> Option<Complaint> {
    Some(match missing(text)? {
        Missing::Closing(at) => {
            let help = "text ends with a double quote; inside it, write `\\\"`";
            Complaint::at(at, "the text that begins here is never closed", help)
        }
        Missing::Opening(at) => Complaint::at(
            at,
            "the text that begins here is closed, and not opened",
            "write a double quote before it, or remove the one behind it",
        ),
    })
}

/// A comment as in shells and Python, wherever it stands.
fn hash(text: &str, error: usize) -> Option<Complaint> {
    let from = if text[..error].ends_with('#') { error - 1 } else { error };
    let at = text.len() - text[from..].trim_start().len();
    let is_one = text[at..].starts_with('#') && !text[at..].starts_with("#![");
    if !is_one {
        return None;
    }
    let comment = text[at..].lines().next().unwrap_or_default().trim_start_matches('#').trim();
    let example = if comment.is_empty() { String::new() } else { format!(": write `// {}`", shorten(comment)) };
    Some(Complaint::at(at, "`#` starts no comment here", format!("a comment starts with `//`{example}")))
}

/// The brackets up to the error: one that is closed by another kind, or never.
fn unbalanced(text: &str, error: usize) -> Option<Complaint> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let c = rest.chars().next()?;
        let skip = comment(rest);
        match c {
            _ if skip > 0 => at += skip,
            '"' | '\'' | 'r' | 'b' => match literal(rest) {
                Some(length) => at += length.max(c.len_utf8()),
                // That was looked for before.
                None => return None,
            },
            '(' | '[' | '{' => {
                open.push((at, c));
                at += 1;
            }
            ')' | ']' | '}' => {
                match open.pop() {
                    Some((start, opened)) if closing(opened) != c && at <= error => {
                        let mut complaint = Complaint::at(
                            at,
                            format!("`{opened}` is closed by `{c}`"),
                            format!("close it with `{}`", closing(opened)),
                        );
                        complaint.other = Some((start, "opened here"));
                        return Some(complaint);
                    }
                    None => return Some(Complaint::at(at, format!("`{c}` closes nothing"), "remove it")),
                    _ => {}
                }
                at += 1;
            }
            c => at += c.len_utf8(),
        }
        if at > error && at < text.len() && open.is_empty() {
            return None;
        }
    }
    let (start, opened) = *open.last().filter(|_| error >= text.trim_end().len())?;
    let help = format!("add `{}`", closing(opened));
    Some(Complaint::at(start, format!("this `{opened}` is never closed"), help))
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

fn in_words(text: &str, at: usize, error: &SpannedError) -> Option<Complaint> {
    let next = text[at..].chars().next();
    let before = before_space(text, at);
    Some(match (&error.code, next) {
        (Error::Eof, _) if text.trim().is_empty() => {
            let help = "write for example `Pipeline(name: \"first\", nodes: {\"a\": Command(program: [\"true\"])})`";
            Complaint::at(0, "there is nothing here", help)
        }
        (Error::ExpectedComma | Error::ExpectedMapColon, Some('=')) => {
            Complaint::at(at, "a colon is expected, not `=`", "write `name: value`")
        }
        (Error::ExpectedComma, Some(':')) => Complaint::at(at, "a colon does not belong here", colon_help(text, at)),
        (Error::ExpectedComma, Some(';')) => {
            Complaint::at(at, "a comma is expected, not `;`", "separate fields with `,`")
        }
        (Error::ExpectedComma | Error::ExpectedArrayEnd | Error::ExpectedStructLikeEnd, Some('-' | '.')) => {
            Complaint::at(at, "this is no name and no number", "text goes in double quotes: \"like this\"")
        }
        (Error::ExpectedComma | Error::ExpectedStructLikeEnd, _) if amount(text, at).is_some() => {
            let (start, amount) = amount(text, at)?;
            Complaint::at(start, "an amount with a unit is text", format!("write it in double quotes: \"{amount}\""))
        }
        (Error::ExpectedComma | Error::ExpectedStructLikeEnd, _) => {
            Complaint::at(before, "a comma is missing after this", "separate fields, entries and items with `,`")
        }
        (Error::ExpectedMapColon, _) => {
            Complaint::at(before, "a colon is missing after this", "an entry of a map is `\"key\": value`")
        }
        (Error::ExpectedIdentifier, Some(',')) => Complaint::at(at, "there is a comma too many", "remove it"),
        (Error::ExpectedChar, _) | (Error::UnexpectedChar('`' | '\u{201C}' | '\u{201D}'), _) => {
            Complaint::at(start_of_char(text, at), "this is no text", "text goes in double quotes: \"like this\"")
        }
        (Error::UnexpectedChar(')' | ']' | '}' | ','), _) => {
            Complaint::at(at, "a value is missing before this", "write one, or remove the name before it")
        }
        (Error::TrailingCharacters, _) => Complaint::at(
            at,
            "the value has ended, and something follows",
            "remove it; a name with other signs than letters, digits and `_` goes in double quotes",
        ),
        (Error::InvalidEscape(_), _) => {
            let help = "write `\\\\` for a backslash, or a raw text r\"like this\"";
            Complaint::at(text[..at].rfind('\\').unwrap_or(at), "this escape is unknown", help)
        }
        (Error::UnclosedBlockComment, _) => {
            Complaint::at(text.rfind("/*")?, "this comment is never closed", "add `*/`")
        }
        (Error::ExceededRecursionLimit, _) => Complaint::at(before, "this is nested too deeply", ""),
        _ => return None,
    })
}

/// The number before the error and the word after it: `1 hour`.
fn amount(text: &str, at: usize) -> Option<(usize, &str)> {
    let unit = text[at..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len() - at);
    let before = text[..at].trim_end();
    let start = before.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |last| last + 1);
    (unit > 0 && text.is_char_boundary(start) && start < before.len()).then(|| (start, &text[start..at + unit]))
}

fn colon_help(text: &str, at: usize) -> &'static str {
    if text[..at].trim_end().ends_with('"') {
        "names of fields have no quotes: `name: value`; a map is in braces: `{\"key\": value}`"
    } else {
        "a map is in braces: `{\"key\": value}`"
    }
}

/// The start of the last character before `at` that is no white space.
fn before_space(text: &str, at: usize) -> usize {
    let before = text[..at].trim_end();
    before.char_indices().next_back().map_or(0, |(start, _)| start)
}

/// Where the text in wrong quotes starts, one or two characters before the error.
fn start_of_char(text: &str, at: usize) -> usize {
    text[..at].rfind('\'').filter(|start| at - start <= 8).unwrap_or(at)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map(|c| c.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}
