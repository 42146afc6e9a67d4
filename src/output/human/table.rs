//! Columns that line up.

use std::io::{self, Write};

/// Between columns.
const GAP: usize = 2;

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

    /// Cuts cells of these columns, the first one first, until a row takes no more than `room`.
    pub(super) fn fit(&mut self, room: usize, columns: &[usize]) {
        const LEAST: usize = 8;
        for &column in columns {
            let widths = self.widths();
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let (Some(width), over) = (widths.get(column), total.saturating_sub(room)) else { continue };
            let most = width.saturating_sub(over).max(LEAST.min(*width));
            for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                if let Some((end, _)) = cell.char_indices().nth(most.saturating_sub(1))
                    && cell.chars().count() > most
                {
                    cell.truncate(end);
                    cell.push('…');
                }
            }
        }
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
