//! How wide what people read may be.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::pictures::Window;

/// Text is wrapped at this width where nobody says how wide it may be, and in wider windows at that.
const USUAL: usize = 80;
const WIDEST: usize = 110;

/// The width that a report may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    columns: Option<usize>,
    wide: bool,
}

impl Room {
    /// That of the terminal; for a pipe or a file, as for `wide`, tables may be as wide as they are.
    pub fn of_stdout(wide: bool) -> Room {
        Room { columns: Window::of_stdout().map(|window| window.columns as usize), wide }
    }

    /// As in a terminal of so many columns.
    pub fn of_columns(columns: usize) -> Room {
        Room { columns: Some(columns), wide: false }
    }

    /// Of what is drawn: as the terminal, however much is wanted.
    pub(crate) fn columns(self) -> usize {
        self.columns.unwrap_or(USUAL)
    }

    /// Of rows, which are whole where tables are.
    pub(crate) fn rows(self) -> usize {
        self.table().map_or(usize::MAX, |_| self.text())
    }

    /// Whether all is wanted, however much it is.
    pub(crate) fn is_wide(self) -> bool {
        self.wide
    }

    /// Of tables; `None` for as much as there is.
    pub(crate) fn table(self) -> Option<usize> {
        self.columns.filter(|_| !self.wide)
    }

    /// Of text.
    pub(crate) fn text(self) -> usize {
        self.columns.unwrap_or(USUAL).clamp(20, WIDEST)
    }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The words of a text in lines of at most this width; a word that is longer has a line of its own.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && width(line) + 1 + width(word) > most {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

/// At most so many columns of a text, with `…` where something is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |char: &char| {
        let width = char.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    shown.extend((most > 0).then_some('…'));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("/a/long/path then", 6), ["/a/long/path", "then"]);
        assert_eq!(wrap("", 6), [""]);
        assert_eq!(wrap("字字 字", 5), ["字字", "字"]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(["abc", "abcd", "字字字"].map(|text| cut(text, 3)), ["abc", "ab…", "字…"]);
        assert_eq!((cut("字字字", 5), cut("abc", 0)), ("字字…".into(), String::new()));
    }
}
