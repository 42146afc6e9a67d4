//! All that made an artifact.

use std::io::{self, Write};

use serde_json::Value;

use super::section::{Rows, head, plain_rows, rows, wrapped};
use crate::output::human::Paint;
use crate::output::human::units::{ago, bytes, count, memory, seconds};
use crate::output::report::Shown;
use crate::output::room::width;
use crate::plan::{Provenance, State, ron};

pub(super) fn made(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let node = &report.node;
    writeln!(out, "{} ({} → {})", paint.bold(&node.name), node.kind, report.output)?;
    if node.state != State::Cached {
        let text = format!("of its last run; since then: {}", node.reason);
        for line in crate::output::room::wrap(&text, report.room.text() - 2) {
            writeln!(out, "  {}", paint.state(node.state, &line))?;
        }
    }
    plain_rows(out, paint, report.room, &identity(report))?;
    remake(out, paint, report)?;
    rows(out, paint, report.room, "parameters", params(report))?;
    defaults(out, paint, report)?;
    rows(out, paint, report.room, "from outside", sources(report))
}

fn identity(report: &Shown) -> Rows {
    let files = count(report.files.len() as u64, "file");
    let mut rows: Rows = vec![("artifact".into(), report.artifact.to_string())];
    let mut row = |name: &str, text: String| rows.push((name.to_owned(), text));
    if let Some(key) = &report.node.key {
        row("key", key.to_string());
    }
    row("size", format!("{}, {files}", bytes(report.bytes)));
    if let Some(version) = report.version {
        row("kind", format!("{}, version {version}", report.made.as_ref().map_or(report.node.kind, |made| &made.kind)));
    }
    if let Some(seed) = report.seed {
        row("seed", seed.to_string());
    }
    if let Some(made) = &report.made {
        row("made", when(made));
        row("by", by(made, report.engine.as_deref()));
    }
    rows
}

fn when(made: &Provenance) -> String {
    let mut text = format!("{} in {}", ago(made.finished), seconds(made.seconds));
    text.extend(made.memory.map(|had| format!(" with {}", memory(had))));
    text + &format!(", by run {}", made.run)
}

/// On what, and by which versions.
fn by(made: &Provenance, engine: Option<&str>) -> String {
    let threads = count(made.threads as u64, "thread");
    let mut parts = vec![made.device.as_ref().map_or(threads.clone(), |device| format!("{device}, {threads}"))];
    parts.extend(made.libtorch.as_ref().map(|version| format!("libtorch {version}")));
    match engine {
        Some(engine) if engine != made.worker => parts.push(format!("worker {}, engine {engine}", made.worker)),
        _ => parts.push(format!("hyper-flow {}", made.worker)),
    }
    parts.join(", ")
}

/// On a line of its own, whole, to be copied.
fn remake(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let Some(remake) = &report.remake else { return Ok(()) };
    head(out, paint, "made again by")?;
    writeln!(out, "  {}", remake.command)?;
    remake.note.iter().try_for_each(|note| wrapped(out, report.room, 2, note))
}

/// The parameters that are not what they are when nothing is said. References are told as inputs.
fn params(report: &Shown) -> Rows {
    let given = told(report).filter(|(name, _)| !report.defaults.contains(name));
    given.map(|(name, value)| (name.clone(), ron(Some(value)))).collect()
}

fn told(report: &Shown) -> impl Iterator<Item = (&String, &Value)> {
    let fields = report.params.as_object().into_iter().flatten();
    fields.filter(|(_, value)| !only_references(value))
}

/// Whether nothing but references is in a parameter.
fn only_references(value: &Value) -> bool {
    let points = |name: &String| ["$input", "$file"].contains(&name.as_str());
    match value {
        Value::Object(fields) if fields.is_empty() => false,
        Value::Object(fields) => fields.iter().all(|(name, value)| points(name) || only_references(value)),
        Value::Array(items) => !items.is_empty() && items.iter().all(only_references),
        _ => false,
    }
}

/// All others, in few lines.
fn defaults(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let valued = told(report).filter(|(name, _)| report.defaults.contains(name));
    let valued = valued.map(|(name, value)| format!("{name}: {}", ron(Some(value))));
    let mut all: Vec<String> = valued.chain(report.absent.iter().map(|name| format!("{name}: None"))).collect();
    all.sort();
    if all.is_empty() {
        return Ok(());
    }
    head(out, paint, "defaults")?;
    let most = report.room.text();
    let mut line = String::from(" ");
    for (index, one) in all.iter().enumerate() {
        let one = format!("{one}{}", if index + 1 < all.len() { "," } else { "" });
        if width(&line) > 1 && width(&line) + 1 + width(&one) > most {
            writeln!(out, "{}", paint.dim(&line))?;
            line = String::from(" ");
        }
        line = line + " " + &one;
    }
    writeln!(out, "{}", paint.dim(&line))
}

fn sources(report: &Shown) -> Rows {
    let text = |source: &crate::output::report::Source| {
        let path = source.path.as_ref().map(|path| path.display().to_string());
        let digest = source.digest.as_ref().map(|digest| format!("({})", &digest[..digest.len().min(12)]));
        path.into_iter().chain(digest).collect::<Vec<_>>().join(" ")
    };
    report.sources.iter().map(|(port, source)| (port.clone(), text(source))).collect()
}
