//! Follows what points out of a node: references to other nodes, and files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hyper_flow_spec::{Artifact, Kind};

use super::draft::{Draft, Findings};
use super::finding::SHOWN;
use super::matrix::unknown_axis;
use super::nodes::{FileUse, Reference, Sketch};
use super::source::Sources;
use super::suggest::{closest, instead, quoted};
use super::tree::{Entry, Shape};
use super::words::{any_of, with_article};

/// The place of each node, by name.
pub(super) type Index<'a> = HashMap<&'a str, usize>;

/// Tells every reference to no node, or to one that yields something else.
pub(super) fn tell_references(sketches: &[Sketch], index: &Index<'_>, axes: &[String], findings: &mut Findings) {
    let names: Vec<&str> = sketches.iter().map(|sketch| sketch.name.as_str()).collect();
    for sketch in sketches {
        for reference in &sketch.references {
            match index.get(reference.name.as_str()) {
                Some(&taken) => {
                    let others = sketches.iter().filter(|other| other.name != sketch.name);
                    tell_type(reference, &sketches[taken], others, findings);
                }
                None => findings.push(unknown_node(reference, &names, axes, findings.count())),
            }
        }
    }
}

fn unknown_node(reference: &Reference, names: &[&str], axes: &[String], told: usize) -> Draft {
    let draft = Draft::error(format!("there is no node `{}`", reference.name)).at(reference.place, "unknown node");
    if let Some(help) = unknown_axis(&reference.name, axes) {
        return draft.help(help);
    }
    // Nobody reads more suggestions than are shown, and each costs a look at every name.
    if told < SHOWN { draft.help(instead(&reference.name, names, "nodes")) } else { draft }
}

fn tell_type<'s>(
    reference: &Reference,
    taken: &Sketch,
    others: impl Iterator<Item = &'s Sketch>,
    findings: &mut Findings,
) {
    let accepts = |output: Artifact| reference.takes.iter().any(|takes| takes.accepts(output));
    let Some(output) = taken.output.filter(|output| !accepts(*output)) else { return };
    let port = reference.port.split('.').next().unwrap_or_default();
    let names: Vec<String> = reference.takes.iter().map(Artifact::to_string).collect();
    let takes = any_of(&names);
    let output = with_article(&output.to_string());
    let fitting = others.filter(|other| other.output.is_some_and(accepts)).map(|other| other.name.as_str());
    let fitting: Vec<&str> = fitting.take(6).collect();
    let help = match fitting.as_slice() {
        _ if taken.kind_name == Some("Command") => {
            format!("if `{}` makes one, say `output: {}` in it", taken.name, names.join("` or `output: "))
        }
        [] => format!("no other node of this pipeline yields {takes}"),
        [one] => format!("`{one}` yields {takes}"),
        fitting => format!("these yield {takes}: {}", quoted(fitting.iter().copied())),
    };
    let message = format!("`{port}` takes {takes}, but `{}` yields {output}", taken.name);
    findings.push(Draft::error(message).at(reference.place, format!("yields {output}")).help(help));
}

/// Looks for files, relative to the folder of the pipeline.
pub(super) struct Files<'a> {
    pub(super) base: &'a Path,
    pub(super) sources: &'a Sources,
}

impl Files<'_> {
    /// The absolute paths of a node's files; those that do not exist are told.
    pub(super) fn of(&self, sketch: &Sketch, findings: &mut Findings) -> BTreeMap<String, PathBuf> {
        let mut found = BTreeMap::new();
        for file in &sketch.files {
            let path = self.base.join(&file.path);
            if let Some(draft) = self.missing(file, &path) {
                findings.push(draft);
            }
            found.insert(file.port.clone(), path);
        }
        found
    }

    fn missing(&self, file: &FileUse, path: &Path) -> Option<Draft> {
        if file.path.is_empty() {
            return Some(Draft::error("a path is empty").at(file.place, "no path").help("write the path of a file"));
        }
        let error = std::fs::metadata(path).err()?;
        let draft = match error.kind() {
            ErrorKind::NotFound if path.is_symlink() => {
                let message = format!("`{}` is a symbolic link to something that is not there", file.path);
                return Some(Draft::error(message).at(file.place, "leads nowhere").help("mend the link, or remove it"));
            }
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Draft::error(format!("there is no file `{}`", file.path)).at(file.place, "not found")
            }
            _ => Draft::error(format!("failed to look at `{}`: {error}", file.path)).at(file.place, "here"),
        };
        let place = format!("paths are relative to the pipeline file; looked at {}", path.display());
        Some(draft.help(match neighbour(path, &file.path) {
            Some(close) => format!("did you mean `{close}`? ({place})"),
            None => place,
        }))
    }

    /// Whether an argument names a file or folder; `.` is the command's own directory.
    fn is_there(&self, argument: &str) -> bool {
        let metadata = || std::fs::metadata(self.base.join(argument));
        !matches!(argument, "" | "." | "..") && metadata().is_ok_and(|found| found.is_file() || found.is_dir())
    }

    /// Warns of arguments that name files which are not in `files`: a change of them would go unnoticed.
    pub(super) fn tell_unlisted(&self, entry: &Entry, sketch: &Sketch, findings: &mut Findings) {
        let (Some(Kind::Command(_)), Some(program)) = (&sketch.kind, entry.value.entry("program")) else { return };
        let Shape::List(arguments) = &program.value.shape else { return };
        let listed: HashSet<&Path> = sketch.files.iter().map(|file| Path::new(&file.path)).collect();
        for (i, argument) in arguments.iter().enumerate() {
            let Some(text) = argument.text(self.sources) else { continue };
            // The program itself is looked for on the path, unless it is a path.
            let is_path = i > 0 || text.contains('/') && !text.starts_with('/');
            if !is_path || !self.is_there(&text) {
                continue;
            }
            let help = if listed.contains(Path::new(&text)) {
                "the command runs in an empty directory: write `$FLOW_FILE_…` in a `sh -c` script instead"
            } else {
                "a change of it runs nothing again, and the command does not run beside it: \
                 name it in `files`, and write `$FLOW_FILE_…` in a `sh -c` script"
            };
            let draft = Draft::warning(format!("the argument `{text}` is a file that `files` does not give"));
            findings.push(draft.at(argument.place(), "a file").help(help));
        }
    }
}

/// A file beside the missing one whose name is like it, written as the missing one was.
fn neighbour(path: &Path, written: &str) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| name != wanted);
    names.sort();
    let close = closest(wanted, names.iter().map(String::as_str))?;
    Some(Path::new(written).with_file_name(close).display().to_string())
}
