//! The table: mean ± spread of each number.

use hyper_flow_diffusion::metrics::Repeats;
use hyper_flow_spec::kinds::Spread;
use hyper_flow_spec::metrics::{CONFIDENCE, lower_is_better};

use super::groups::{Group, Groups, spread};

/// Digits of the largest value of a number.
const DIGITS: i32 = 4;

/// Cells by line; the first line is the heading, an empty one stands between candidates.
pub(super) struct Table {
    lines: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    pub(super) fn of(groups: &Groups, what: Spread) -> Table {
        let decimals: Vec<usize> = groups.numbers.iter().map(|number| decimals(&groups.rows, number)).collect();
        let mut lines = vec![heading(&groups.numbers)];
        let mut last = String::new();
        for group in groups.rows.iter().chain(&groups.pairs) {
            if group.name() != last {
                lines.push(Vec::new());
                last = group.name();
            }
            let steps = group.steps.map_or("-".to_owned(), |steps| steps.to_string());
            let numbers =
                groups.numbers.iter().zip(&decimals).map(|(number, digits)| cell(group, number, *digits, what));
            lines.push([last.clone(), steps, group.n.to_string()].into_iter().chain(numbers).collect());
        }
        Table { lines, notes: notes(groups, what) }
    }

    /// Numbers aligned to the right.
    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let padded = |(column, cell): (usize, &String)| {
            let width = width(column).unwrap_or(0);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let line = |line: &Vec<String>| line.iter().enumerate().map(padded).collect::<Vec<_>>().join("  ") + "\n";
        let lines: String = self.lines.iter().map(line).collect();
        lines + "\n" + &self.notes.iter().map(|note| format!("{note}\n")).collect::<String>()
    }

    /// The same with the plot.
    pub(super) fn markdown(&self, plot: &str) -> String {
        let line = |line: &Vec<String>| format!("| {} |\n", line.join(" | "));
        let columns = self.lines[0].len();
        let rule = format!("|---|{}\n", "---:|".repeat(columns - 1));
        let mut lines = self.lines.iter().filter(|line| !line.is_empty()).map(line);
        let head = lines.next().unwrap_or_default();
        let notes: String = self.notes.iter().map(|note| format!("\n{}\n", note.replace('*', "\\*"))).collect();
        format!(
            "{head}{rule}{}{notes}\n![The numbers by steps]({plot})\n",
            lines.map(|line| line.replace('*', "\\*")).collect::<String>()
        )
    }
}

fn heading(numbers: &[String]) -> Vec<String> {
    ["candidate", "steps", "n"].into_iter().map(str::to_owned).chain(numbers.iter().cloned()).collect()
}

/// So many decimals that the largest value of a number has [`DIGITS`] digits.
fn decimals(rows: &[Group], number: &str) -> usize {
    let values = rows.iter().filter_map(|row| row.values.get(number)).flatten().map(|value| value.abs());
    let largest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let whole = if largest > 0.0 { largest.log10().floor() as i32 + 1 } else { 1 };
    usize::try_from(DIGITS - whole).unwrap_or(0)
}

/// "4.44 ± 0.12"; of a difference that is not by chance, a star.
fn cell(group: &Group, number: &str, digits: usize, what: Spread) -> String {
    let Some(repeats) = group.repeats(number) else { return "-".to_owned() };
    let sign = if group.against.is_some() && repeats.mean > 0.0 { "+" } else { "" };
    let star = if group.against.is_some() { star(&repeats) } else { "" };
    match spread(&repeats, what) {
        Some(spread) => format!("{sign}{:.digits$} ± {spread:.digits$}{star}", repeats.mean),
        None => format!("{sign}{:.digits$}{star}", repeats.mean),
    }
}

fn star(difference: &Repeats) -> &'static str {
    if difference.p().is_some_and(|p| p < 1.0 - CONFIDENCE) { "*" } else { "" }
}

fn notes(groups: &Groups, what: Spread) -> Vec<String> {
    let spread = match what {
        Spread::Deviation => "± is the sample standard deviation of the n repeats.",
        Spread::Interval => "± is the 95 % interval of the mean of the n repeats (Student's t).",
    };
    let lower: Vec<&str> = groups.numbers.iter().map(String::as_str).filter(|number| lower_is_better(number)).collect();
    let better = match lower.as_slice() {
        [] => "Higher is better.".to_owned(),
        lower => format!("Lower is better: {}; of the others, higher.", lower.join(", ")),
    };
    let mut notes = vec![format!("{spread} {better}")];
    if !groups.pairs.is_empty() {
        notes.push(
            "a − b is the mean of the differences of what was measured together. *p < 0.05 in the paired t-test over the \
             repeats, not corrected for their number."
                .to_owned(),
        );
    }
    notes
}
