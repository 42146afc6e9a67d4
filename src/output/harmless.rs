//! Text of programs, files and names, such that it does nothing to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The text with what a terminal would obey made visible: `␛` for an escape, `␇` for a bell. Line feeds and tabs stay, as
/// do colours if `colors` says so; else they are dropped.
pub(crate) fn harmless(text: &str, colors: bool) -> Cow<'_, str> {
    let Some(first) = text.find(obeyed) else { return Cow::Borrowed(text) };
    let mut shown = text[..first].to_owned();
    let mut rest = &text[first..];
    while let Some(char) = rest.chars().next() {
        let length = color(rest).unwrap_or(char.len_utf8());
        let (piece, after) = rest.split_at(length);
        match char {
            _ if length > 1 && char == '\u{1b}' => shown.push_str(if colors { piece } else { "" }),
            '\r' if after.starts_with('\n') => {}
            _ if obeyed(char) => show(&mut shown, char),
            _ => shown.push(char),
        }
        rest = after;
    }
    Cow::Owned(shown)
}

/// Controls, and what turns the direction of the text around it.
fn obeyed(char: char) -> bool {
    let turns = matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (char.is_control() && char != '\n' && char != '\t') || turns
}

fn show(text: &mut String, char: char) {
    match u32::from(char) {
        code @ ..0x20 => text.extend(char::from_u32(0x2400 + code)),
        0x7f => text.push('␡'),
        _ => {
            let _ = write!(text, "{}", char.escape_unicode());
        }
    }
}

/// The length of the colour that `text` begins with: `ESC [ 1 ; 31 m`.
fn color(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|char: char| !char.is_ascii_digit() && char != ';')?;
    numbers[end..].starts_with('m').then_some(2 + end + 1)
}

/// Writes harmless text, however it came into the report. What is written at once has to be whole characters.
pub(crate) struct Harmless<W> {
    out: W,
    colors: bool,
}

impl<W: Write> Harmless<W> {
    /// With the colours that are written, or without any.
    pub(crate) fn new(out: W, colors: bool) -> Self {
        Harmless { out, colors }
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(harmless(&String::from_utf8_lossy(bytes), self.colors).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_seen() {
        let same = "plain\ttext, ±½ 字\nand more";
        assert!(matches!(harmless(same, false), Cow::Borrowed(_)));
        assert_eq!(harmless("a\u{1b}[2Jb\u{1b}]0;title\u{7}\u{7f}", false), "a␛[2Jb␛]0;title␇␡");
        assert_eq!(harmless("c1 \u{9b}2J, turned \u{202e}txt", false), "c1 \\u{9b}2J, turned \\u{202e}txt");
        assert_eq!(harmless("of Windows\r\n10 %\r20 %", false), "of Windows\n10 %␍20 %");
    }

    #[test]
    fn colours_are_dropped_or_stay() {
        let red = "a \u{1b}[1;31mred\u{1b}[0m word";
        assert_eq!(harmless(red, false), "a red word");
        assert_eq!(harmless(red, true), red);
        assert_eq!(harmless("\u{1b}[31", true), "␛[31");
    }

    proptest! {
        #[test]
        fn any_text_becomes_harmless(text in "[\\x00-\\x7f\u{80}-\u{9f}é字]*") {
            prop_assert!(!harmless(&text, false).contains(obeyed));
            prop_assert!(harmless(&harmless(&text, false), false) == harmless(&text, false));
        }
    }
}
