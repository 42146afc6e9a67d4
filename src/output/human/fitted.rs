//! A table that leaves columns out where there is no room for all.

use std::io::{self, Write};

use crate::output::room::width;

/// A column of text.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    cells: Vec<String>,
    right: bool,
    /// The higher, the sooner it is left out; 0 stays.
    rank: usize,
}

impl Column {
    /// Words, which line up at their left side and stay.
    pub(crate) fn words(name: &str, cells: impl IntoIterator<Item = String>) -> Column {
        Column { name: name.to_owned(), cells: cells.into_iter().collect(), right: false, rank: 0 }
    }

    /// Numbers, which line up at their right side.
    pub(crate) fn numbers(name: &str, rank: usize, cells: impl IntoIterator<Item = String>) -> Column {
        Column { right: true, rank, ..Column::words(name, cells) }
    }

    fn width(&self) -> usize {
        self.cells.iter().chain([&self.name]).map(|cell| width(cell)).max().unwrap_or(0)
    }

    fn padded(&self, cell: &str) -> String {
        let gap = " ".repeat(self.width().saturating_sub(width(cell)));
        if self.right { gap + cell } else { cell.to_owned() + &gap }
    }
}

/// Between columns, and before the first.
const GAP: usize = 2;

/// Columns of which some may be left out.
pub(crate) struct Fitted {
    shown: Vec<Column>,
    /// The names of those that are not shown.
    pub(crate) left_out: Vec<String>,
}

impl Fitted {
    /// As many columns as there is room for, the least dear left out first.
    pub(crate) fn of(columns: Vec<Column>, room: Option<usize>) -> Fitted {
        let mut ranks: Vec<usize> = columns.iter().map(|column| column.rank).collect();
        ranks.sort_unstable();
        let total = |most: usize| -> usize {
            columns.iter().filter(|column| column.rank <= most).map(|column| column.width() + GAP).sum()
        };
        let fits = |most: &&usize| **most == 0 || room.is_none_or(|room| total(**most) <= room);
        let most = ranks.iter().take_while(fits).last().copied().unwrap_or(0);
        let (shown, left): (Vec<Column>, Vec<Column>) = columns.into_iter().partition(|column| column.rank <= most);
        Fitted { shown, left_out: left.into_iter().map(|column| column.name).collect() }
    }

    /// Whether a column of this name is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.shown.iter().any(|column| column.name == name)
    }

    /// Writes the heading (row 0) and the rows; `paint` gets row, name of the column and padded text. An empty line goes
    /// before each row that `begins` something.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        begins: impl Fn(usize) -> bool,
        paint: impl Fn(usize, &str, &str) -> String,
    ) -> io::Result<()> {
        let rows = self.shown.first().map_or(0, |column| column.cells.len());
        for row in 0..=rows {
            if row > 0 && begins(row - 1) {
                writeln!(out)?;
            }
            let cell = |column: &Column| {
                let text = if row == 0 { &column.name } else { &column.cells[row - 1] };
                paint(row, &column.name, &column.padded(text))
            };
            let cells: Vec<String> = self.shown.iter().map(cell).collect();
            writeln!(out, "  {}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(room: Option<usize>) -> (String, Vec<String>) {
        let cells = |texts: [&str; 2]| texts.map(str::to_owned);
        let columns = vec![
            Column::words("who", cells(["a", "bob"])),
            Column::numbers("last", 2, cells(["1", "2"])),
            Column::numbers("first", 1, cells(["10", "-"])),
        ];
        let fitted = Fitted::of(columns, room);
        let mut out = Vec::new();
        fitted.write(&mut out, |_| false, |_, _, cell| cell.to_owned()).unwrap();
        (String::from_utf8(out).unwrap(), fitted.left_out)
    }

    #[test]
    fn the_least_dear_columns_go_first() {
        assert_eq!(shown(None), ("  who  last  first\n  a       1     10\n  bob     2      -\n".into(), vec![]));
        assert_eq!(shown(Some(18)).1, [""; 0]);
        assert_eq!(shown(Some(17)), ("  who  first\n  a       10\n  bob      -\n".into(), vec!["last".into()]));
        assert_eq!(shown(Some(3)).1, ["last", "first"]);
    }
}
