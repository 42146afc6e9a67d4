//! Runs: a list of them, and one.

use std::io::{self, Write};

use super::shown::{Rows, plain_rows};
use super::units::{ago, number, seconds};
use super::{Column, Fitted, Paint};
use crate::output::Room;
use crate::output::report::{Final, ListedRun, ListedRuns, RunPath, ShownRun};
use crate::runs::{Description, Ending, PastNode, Status};

pub(super) fn listed(out: &mut dyn Write, paint: Paint, room: Room, report: &ListedRuns) -> io::Result<()> {
    if report.runs.is_empty() {
        return writeln!(out, "no run is kept yet");
    }
    let cells = |text: &dyn Fn(&ListedRun) -> String| report.runs.iter().map(text).collect::<Vec<_>>();
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let columns = vec![
        Column::words("RUN", cells(&|run| run.short.clone())),
        Column::words("WHEN", cells(&|run| or_dash(run.started.map(|time| ago(time as u64))))).rank(3),
        Column::text("PIPELINE", cells(&|run| run.pipeline.clone())),
        Column::text("CHANGED", cells(&|run| or_dash(changed(run)))).rank(1),
        Column::text("RESULT", cells(&result)),
        Column::words("TIME", cells(&|run| or_dash(run.seconds.map(seconds)))).rank(2),
        Column::text("NUMBERS", cells(&|run| run.finals.iter().map(told).collect::<Vec<_>>().join(", "))),
    ];
    let table = Fitted::list(columns, room);
    let paint_cell = |row: usize, name: &str, cell: &str| match (row, name) {
        (0, _) => paint.dim(cell),
        (row, "RESULT") => paint.ending(report.runs[row - 1].ending, cell),
        _ => cell.to_owned(),
    };
    table.write(out, |_| false, paint_cell)?;
    table.rest(out, paint)?;
    match report.older {
        0 => Ok(()),
        older => writeln!(out, "{}", paint.dim(&format!("and {older} older: `--all`"))),
    }
}

fn result(run: &ListedRun) -> String {
    match &run.what {
        Some(what) => format!("{}: {what}", word(run.ending)),
        None => word(run.ending).to_owned(),
    }
}

/// What was not as the file says.
fn changed(run: &ListedRun) -> Option<String> {
    let params = run.params.is_some().then(|| "--params".to_owned());
    let targets = (!run.targets.is_empty()).then(|| format!("only {}", run.targets.join(" ")));
    let changes: Vec<String> = run.set.iter().cloned().chain(params).chain(targets).collect();
    (!changes.is_empty()).then(|| changes.join(", "))
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

pub(super) fn shown(out: &mut dyn Write, paint: Paint, room: Room, report: &ShownRun) -> io::Result<()> {
    let past = &report.past;
    let ending = paint.ending(past.course.ending, word(past.course.ending));
    let took = report.seconds.map_or_else(String::new, |took| format!(" in {}", seconds(took)));
    writeln!(out, "{} of {}: {ending}{took}", paint.bold(&past.id), past.asked.name)?;
    plain_rows(out, paint, room, &about(report))?;
    let cells = |text: &dyn Fn(&PastNode) -> String| past.course.nodes.iter().map(text).collect::<Vec<_>>();
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let columns = vec![
        Column::text("NODE", cells(&|node| node.name.clone())),
        Column::words("KIND", cells(&|node| or_dash(node.kind.clone()))).rank(1),
        Column::words("STATE", cells(&|node| state(&node.status).to_owned())),
        Column::words("TIME", cells(&|node| or_dash(node.seconds().map(seconds)))).rank(2),
        Column::words("KEY", cells(&|node| or_dash(node.key.map(|key| key.short())))).rank(3),
        Column::text("", cells(&remark)),
    ];
    let table = Fitted::list(columns, room);
    let paint_cell = |row: usize, name: &str, cell: &str| match (row, name) {
        (0, _) => paint.dim(cell),
        (row, "STATE") => paint.status(&past.course.nodes[row - 1].status, cell),
        _ => cell.to_owned(),
    };
    table.write(out, |_| false, paint_cell)?;
    table.rest(out, paint)?;
    writeln!(out, "{}", paint.dim(&format!("once more, as it was then: `{}`", report.again)))
}

fn about(report: &ShownRun) -> Rows {
    let Description { origin, targets, set, params, arguments, version, started, .. } = &report.past.asked;
    let mut rows = Rows::new();
    let mut tell = |name: &str, text: String| {
        if !text.is_empty() {
            rows.push((name.to_owned(), text));
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
    rows
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
