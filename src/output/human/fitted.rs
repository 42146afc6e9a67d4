//! A table that is as wide as there is room for: it shortens what may be shortened, and leaves columns out where that is not
//! enough.

use std::io::{self, Write};

use super::Paint;
use crate::output::room::{Room, cut, width};

/// Between columns.
const GAP: usize = 2;
/// What may be shortened is not narrower than this.
const LEAST: usize = 8;

/// A column of text.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    cells: Vec<String>,
    right: bool,
    shortens: bool,
    /// The higher, the sooner it is left out; 0 stays.
    rank: usize,
}

impl Column {
    /// Words, which line up at their left side and stay.
    pub(crate) fn words(name: &str, cells: impl IntoIterator<Item = String>) -> Column {
        Column { name: name.to_owned(), cells: cells.into_iter().collect(), right: false, shortens: false, rank: 0 }
    }

    /// Numbers, which line up at their right side.
    pub(crate) fn numbers(name: &str, rank: usize, cells: impl IntoIterator<Item = String>) -> Column {
        Column { right: true, rank, ..Column::words(name, cells) }
    }

    /// What may be cut where there is no room.
    pub(crate) fn text(name: &str, cells: impl IntoIterator<Item = String>) -> Column {
        Column { shortens: true, ..Column::words(name, cells) }
    }

    /// It is left out where there is no room, the highest rank first.
    pub(crate) fn rank(self, rank: usize) -> Column {
        Column { rank, ..self }
    }
}

/// A column, and how wide it is.
struct Shown {
    column: Column,
    width: usize,
}

impl Shown {
    fn of(column: Column, heading: bool) -> Shown {
        let heading = heading.then_some(&column.name);
        let width = column.cells.iter().chain(heading).map(|cell| width(cell)).max().unwrap_or(0);
        Shown { column, width }
    }

    /// How wide it is where what may be shortened has at most so much.
    fn at_most(&self, most: usize) -> usize {
        if self.column.shortens { self.width.min(most.max(LEAST)) } else { self.width }
    }

    fn padded(&self, cell: &str, is_last: bool) -> String {
        let cell = cut(cell, self.width);
        let gap = " ".repeat(self.width.saturating_sub(width(&cell)));
        match (self.column.right, is_last) {
            (true, _) => gap + &cell,
            (false, true) => cell,
            (false, false) => cell + &gap,
        }
    }
}

/// Columns of which some may be left out.
pub(crate) struct Fitted {
    shown: Vec<Shown>,
    indent: &'static str,
    heading: bool,
    /// The names of those that are not shown.
    pub(crate) left_out: Vec<String>,
}

impl Fitted {
    /// A table in a section, with a heading.
    pub(crate) fn of(columns: Vec<Column>, room: Option<usize>) -> Fitted {
        Fitted::new(columns, room, "  ", true)
    }

    /// A table of its own, with a heading.
    pub(crate) fn list(columns: Vec<Column>, room: Room) -> Fitted {
        Fitted::new(columns, room.table(), "", true)
    }

    /// Without a heading: what stands in its columns tells what it is.
    pub(crate) fn bare(columns: Vec<Column>, room: Room, indent: &'static str) -> Fitted {
        Fitted::new(columns, room.table(), indent, false)
    }

    /// As many columns as there is room for, the least dear left out first. Of one without any text nothing is said.
    fn new(columns: Vec<Column>, room: Option<usize>, indent: &'static str, heading: bool) -> Fitted {
        let says = |column: &Column| column.cells.is_empty() || column.cells.iter().any(|cell| !cell.is_empty());
        let columns: Vec<Shown> = columns.into_iter().filter(says).map(|column| Shown::of(column, heading)).collect();
        let room = room.map_or(usize::MAX, |room| (room + GAP).saturating_sub(indent.len()));
        let mut ranks: Vec<usize> = columns.iter().map(|shown| shown.column.rank).collect();
        ranks.sort_unstable();
        let least = |most: usize| total(columns.iter().filter(|shown| shown.column.rank <= most), 0);
        let fits = |most: &&usize| **most == 0 || least(**most) <= room;
        let most = ranks.iter().take_while(fits).last().copied().unwrap_or(0);
        let (mut shown, left): (Vec<Shown>, Vec<Shown>) = columns.into_iter().partition(|of| of.column.rank <= most);
        // The longest texts give way first.
        let widest = shown.iter().map(|of| of.width).max().unwrap_or(0);
        let most = (LEAST..=widest).rev().find(|most| total(&shown, *most) <= room).unwrap_or(LEAST);
        shown.iter_mut().for_each(|of| of.width = of.at_most(most));
        Fitted { shown, indent, heading, left_out: left.into_iter().map(|of| of.column.name).collect() }
    }

    /// Whether a column of this name is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.shown.iter().any(|shown| shown.column.name == name)
    }

    /// Writes the heading (row 0) and the rows; `paint` gets row, name of the column and padded text. An empty line goes
    /// before each row that `begins` something.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        begins: impl Fn(usize) -> bool,
        paint: impl Fn(usize, &str, &str) -> String,
    ) -> io::Result<()> {
        let rows = self.shown.first().map_or(0, |shown| shown.column.cells.len());
        let last = self.shown.len().saturating_sub(1);
        for row in usize::from(!self.heading)..=rows {
            if row > 0 && begins(row - 1) {
                writeln!(out)?;
            }
            let cell = |(place, shown): (usize, &Shown)| {
                let text = if row == 0 { &shown.column.name } else { &shown.column.cells[row - 1] };
                paint(row, &shown.column.name, &shown.padded(text, place == last))
            };
            let cells: Vec<String> = self.shown.iter().enumerate().map(cell).collect();
            writeln!(out, "{}", format!("{}{}", self.indent, cells.join("  ")).trim_end())?;
        }
        Ok(())
    }

    /// Writes it with nothing but its heading painted.
    pub(crate) fn plain(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        self.write(out, |_| false, |row, _, cell| if row == 0 { paint.dim(cell) } else { cell.to_owned() })
    }

    /// Names the columns that are left out, if there are any.
    pub(crate) fn rest(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self.left_out.as_slice() {
            [] => Ok(()),
            names => {
                let text = format!("there is no room for {}: `--wide`", names.join(", "));
                writeln!(out, "{}{}", self.indent, paint.dim(&text))
            }
        }
    }
}

/// All widths, and the gaps after them.
fn total<'a>(columns: impl IntoIterator<Item = &'a Shown>, most: usize) -> usize {
    columns.into_iter().map(|shown| shown.at_most(most) + GAP).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(columns: Vec<Column>, room: Option<usize>) -> (String, Vec<String>) {
        let fitted = Fitted::of(columns, room);
        let mut out = Vec::new();
        fitted.write(&mut out, |_| false, |_, _, cell| cell.to_owned()).unwrap();
        (String::from_utf8(out).unwrap(), fitted.left_out)
    }

    fn shown(room: Option<usize>) -> (String, Vec<String>) {
        let cells = |texts: [&str; 2]| texts.map(str::to_owned);
        let columns = vec![
            Column::words("who", cells(["a", "bob"])),
            Column::numbers("last", 2, cells(["1", "2"])),
            Column::numbers("first", 1, cells(["10", "-"])),
        ];
        written(columns, room)
    }

    #[test]
    fn the_least_dear_columns_go_first() {
        assert_eq!(shown(None), ("  who  last  first\n  a       1     10\n  bob     2      -\n".into(), vec![]));
        assert_eq!(shown(Some(18)).1, [""; 0]);
        assert_eq!(shown(Some(17)), ("  who  first\n  a       10\n  bob      -\n".into(), vec!["last".into()]));
        assert_eq!(shown(Some(3)).1, ["last", "first"]);
    }

    #[test]
    fn the_longest_texts_are_shortened_before_a_column_goes() {
        let columns = || {
            vec![
                Column::text("why", ["it is so for many reasons".to_owned()]),
                Column::text("what", ["字字字字字字".to_owned()]),
                Column::words("n", ["1".to_owned()]).rank(1),
            ]
        };
        let first = |room| written(columns(), Some(room)).0.lines().nth(1).unwrap().to_owned();
        assert_eq!(first(44), "  it is so for many reasons  字字字字字字  1");
        assert_eq!(first(34), "  it is so for m…  字字字字字字  1");
        assert_eq!(first(28), "  it is so …  字字字字…   1");
        assert_eq!(first(23), "  it is s…  字字字…   1");
        assert_eq!((first(22), written(columns(), Some(22)).1), ("  it is so…  字字字字…".into(), vec!["n".into()]));
    }
}
