//! Columns that line up.

use std::io::{self, Write};

/// Rows of text in columns of equal width. Colours are put on after widths are known.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Table {
        Table { rows: vec![head.map(str::to_owned).to_vec()], right: Vec::new() }
    }

    /// Columns that line up at their right side: numbers.
    pub(super) fn right(mut self, columns: impl IntoIterator<Item = usize>) -> Table {
        self.right.extend(columns);
        self
    }

    pub(super) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// Writes the rows, each line after `indent`; `paint` gets row, column and padded text.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        indent: &str,
        paint: impl Fn(usize, usize, &str) -> String,
    ) -> io::Result<()> {
        let widths = self.widths();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = indent.to_owned();
            for (column, cell) in row.iter().enumerate() {
                let padded = match widths[column] {
                    width if self.right.contains(&column) => format!("{cell:>width$}"),
                    _ if column + 1 == row.len() => cell.clone(),
                    width => format!("{cell:<width$}"),
                };
                line += if column == 0 { "" } else { "  " };
                line += &paint(index, column, &padded);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
        (0..columns).map(|column| width(column).unwrap_or(0)).collect()
    }
}
