//! Bytes of a text, and the lines and UTF-16 units in which editors count.

use std::ops::Range;

use tower_lsp_server::ls_types::{Position, Range as Span};

/// A text, and where its lines begin.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    /// Lines end with `\n`, `\r\n` or `\r`.
    pub(super) fn new(text: String) -> Lines {
        let bytes = text.as_bytes();
        let ends = |&(i, byte): &(usize, &u8)| *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1) != Some(&b'\n'));
        let starts = bytes.iter().enumerate().filter(ends).map(|(i, _)| i + 1);
        let starts = std::iter::once(0).chain(starts).collect();
        Lines { text, starts }
    }

    /// The text itself.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The place of a byte.
    pub(super) fn position(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|&start| start <= byte).saturating_sub(1);
        let before = self.text.get(self.starts[line]..byte).unwrap_or_default();
        Position::new(line as u32, before.chars().map(char::len_utf16).sum::<usize>() as u32)
    }

    /// The place of a piece.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.position(range.start), self.position(range.end))
    }

    /// The byte at a place. What is behind the end of a line, or of the text, is that end.
    pub(super) fn byte(&self, position: Position) -> usize {
        let line = position.line as usize;
        let Some(&start) = self.starts.get(line) else { return self.text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let mut units = position.character as usize;
        let mut at = start;
        for c in self.text[start..end].trim_end_matches(['\n', '\r']).chars() {
            if units < c.len_utf16() {
                break;
            }
            units -= c.len_utf16();
            at += c.len_utf8();
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_counted_in_utf_16() {
        let lines = Lines::new("a\n\"𝄞é\": x\r\ny\rz".to_owned());
        let colon = lines.text().find(':').unwrap();
        assert_eq!(lines.position(colon), Position::new(1, 5));
        assert_eq!(lines.byte(Position::new(1, 5)), colon);
        assert_eq!(lines.byte(Position::new(1, 99)), lines.text().find('\r').unwrap());
        assert_eq!(lines.position(lines.text().find('z').unwrap()), Position::new(3, 0));
        assert_eq!(lines.byte(Position::new(9, 0)), lines.text().len());
    }

    proptest! {
        #[test]
        fn there_and_back(text in "[a𝄞é\r\n]*") {
            let lines = Lines::new(text.clone());
            for (byte, c) in text.char_indices().filter(|(_, c)| !matches!(c, '\r' | '\n')) {
                prop_assert_eq!(lines.byte(lines.position(byte)), byte, "{}", c);
            }
        }
    }
}
