//! Runs: a list of them, and one.

use std::io::{self, Write};

use super::Paint;
use super::table::Table;
use super::units::{ago, number, seconds};
use crate::output::report::{Final, ListedRun, ListedRuns, RunPath, ShownRun};
use crate::runs::{Description, Ending, PastNode, Status};

pub(super) fn listed(out: &mut dyn Write, paint: Paint, report: &ListedRuns) -> io::Result<()> {
    if report.runs.is_empty() {
        return writeln!(out, "no run is kept yet");
    }
    let mut table = Table::new(["RUN", "WHEN", "PIPELINE", "CHANGED", "RESULT", "TIME", "NUMBERS"]);
    for run in &report.runs {
        table.push(row(run));
    }
    if let Some(columns) = report.columns {
        // The last column has what is dearest of the rest.
        table.fit(columns, &[4, 3, 6, 2]);
    }
    table.write(out, "", |row, column, cell| match (row, column) {
        (0, _) => paint.dim(cell),
        (row, 4) => paint.ending(report.runs[row - 1].ending, cell),
        _ => cell.to_owned(),
    })?;
    match report.older {
        0 => Ok(()),
        older => writeln!(out, "{}", paint.dim(&format!("and {older} older: `--all`"))),
    }
}

fn row(run: &ListedRun) -> [String; 7] {
    let changed = changed(&run.targets, &run.set, run.params.is_some());
    let result = match &run.what {
        Some(what) => format!("{}: {what}", word(run.ending)),
        None => word(run.ending).to_owned(),
    };
    [
        run.short.clone(),
        run.started.map_or_else(|| "-".to_owned(), |time| ago(time as u64)),
        run.pipeline.clone(),
        if changed.is_empty() { "-".to_owned() } else { changed },
        result,
        run.seconds.map_or_else(|| "-".to_owned(), seconds),
        run.finals.iter().map(told).collect::<Vec<_>>().join(", "),
    ]
}

/// What was not as the file says.
fn changed(targets: &[String], set: &[String], params: bool) -> String {
    let params = params.then(|| "--params".to_owned());
    let targets = (!targets.is_empty()).then(|| format!("only {}", targets.join(" ")));
    set.iter().cloned().chain(params).chain(targets).collect::<Vec<_>>().join(", ")
}

/// `unified frechet 11.99 / 6.260 in 1 / 2 steps`, `teacher loss 0.0123`.
fn told(last: &Final) -> String {
    let values: Vec<String> = last.values.iter().map(|value| number(*value)).collect();
    let whose = last.candidate.as_ref().unwrap_or(&last.node);
    let steps: Vec<String> = last.steps.iter().map(i64::to_string).collect();
    let in_steps = if steps.is_empty() { String::new() } else { format!(" in {} steps", steps.join("/")) };
    format!("{whose} {} {}{in_steps}", last.name, values.join("/"))
}

fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Interrupted => "interrupted",
        Ending::Running => "running",
        Ending::Died => "killed",
    }
}

pub(super) fn shown(out: &mut dyn Write, paint: Paint, report: &ShownRun) -> io::Result<()> {
    let past = &report.past;
    let ending = paint.ending(past.course.ending, word(past.course.ending));
    let took = report.seconds.map_or_else(String::new, |took| format!(" in {}", seconds(took)));
    writeln!(out, "{} of {}: {ending}{took}", paint.bold(&past.id), past.asked.name)?;
    about(report).write(out, "  ", |_, column, cell| if column == 0 { paint.dim(cell) } else { cell.to_owned() })?;
    let mut table = Table::new(["NODE", "KIND", "STATE", "TIME", "KEY", ""]);
    past.course.nodes.iter().for_each(|node| table.push(node_row(node)));
    table.write(out, "", |row, column, cell| match (row, column) {
        (0, _) => paint.dim(cell),
        (row, 2) => paint.status(&past.course.nodes[row - 1].status, cell),
        _ => cell.to_owned(),
    })?;
    writeln!(out, "{}", paint.dim(&format!("once more, as it was then: `{}`", report.again)))
}

fn about(report: &ShownRun) -> Table {
    let Description { origin, targets, set, params, arguments, version, started, .. } = &report.past.asked;
    let mut table = Table::default();
    let mut tell = |name: &str, text: String| {
        if !text.is_empty() {
            table.push([name.to_owned(), text]);
        }
    };
    let when = report.started.map_or_else(String::new, |time| format!(" ({})", ago(time as u64)));
    tell("started", format!("{started}{when}"));
    tell("pipeline", origin.path().display().to_string());
    tell("asked for", targets.join(" "));
    tell("set", set.join(", "));
    tell("params", params.as_ref().map_or_else(String::new, |path| path.display().to_string()));
    tell("command", arguments.join(" "));
    tell("version", version.clone());
    tell("numbers", report.finals.iter().map(told).collect::<Vec<_>>().join(", "));
    tell("directory", report.past.directory.display().to_string());
    table
}

fn node_row(node: &PastNode) -> [String; 6] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        node.name.clone(),
        or_dash(node.kind.clone()),
        state(&node.status).to_owned(),
        or_dash(node.seconds().map(seconds)),
        or_dash(node.key.map(|key| key.short())),
        remark(node),
    ]
}

fn state(status: &Status) -> &'static str {
    match status {
        Status::Waiting { .. } => "waiting",
        Status::Cached => "cached",
        Status::Running => "running",
        Status::Ran => "ran",
        Status::Failed { .. } => "failed",
        Status::Interrupted => "interrupted",
        Status::Skipped { .. } => "skipped",
        Status::Died => "killed",
    }
}

/// What else there is to say of a node, in one line.
fn remark(node: &PastNode) -> String {
    let mut parts: Vec<String> = match &node.status {
        Status::Failed { message } => vec![message.lines().next().unwrap_or_default().to_owned()],
        Status::Skipped { because } => vec![because.clone()],
        Status::Waiting { holder } => holder.iter().map(|holder| format!("for {holder}")).collect(),
        Status::Interrupted | Status::Died | Status::Running => {
            let at = node.progress.iter().map(|at| format!("{} of {} {}", at.done, at.of, at.unit));
            at.chain(node.checkpoint.map(|step| format!("checkpoint after {step}"))).collect()
        }
        Status::Cached | Status::Ran => Vec::new(),
    };
    parts.extend(node.resumed.map(|step| format!("went on after {step}")));
    if node.attempts > 1 {
        parts.push(format!("{} attempts", node.attempts));
    }
    parts.extend(node.loss().map(|loss| format!("loss {}", number(loss))));
    parts.extend(node.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))));
    parts.join(", ")
}

pub(super) fn path(out: &mut dyn Write, report: &RunPath) -> io::Result<()> {
    writeln!(out, "{}", report.path.display())
}
