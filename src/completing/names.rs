//! What may come, by what it is.

use std::ffi::OsStr;
use std::path::Path;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use hyper_flow_spec::Kind;

use super::line;
use crate::commands::kinds;
use crate::lsp::{self, NodeName};
use crate::pipeline::{FieldType, KindDescription, Node, Overrides, Type, load, read_text};

/// Pipeline files, and folders on the way to them.
pub(super) fn files(typed: &OsStr) -> Vec<CompletionCandidate> {
    PathCompleter::any().filter(|path| path.is_dir() || line::is_pipeline(path)).complete(typed)
}

/// The pipeline, if it is not named yet, and its nodes.
pub(super) fn files_and_nodes(typed: &OsStr) -> Vec<CompletionCandidate> {
    nodes(typed).into_iter().chain(files(typed)).collect()
}

/// The nodes of the pipeline.
pub(super) fn nodes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let all = known();
    let candidate = |node: NodeName| candidate(typed, &node.name, Some(&node.kind));
    all.into_iter().filter_map(candidate).collect()
}

/// The kinds, and what else `hyper-flow kinds` tells about.
pub(super) fn kinds(typed: &OsStr) -> Vec<CompletionCandidate> {
    let kind = |name: &&'static str| {
        candidate(typed, name, KindDescription::of(name).map(|kind| kind.params.summary()).as_deref())
    };
    let topic = |(name, about)| candidate(typed, name, Some(about));
    Kind::NAMES.iter().filter_map(kind).chain(kinds::topics().filter_map(topic)).collect()
}

/// The runs that the store remembers, the newest first.
pub(super) fn runs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let runs = std::fs::read_dir(line::store().join("runs")).into_iter().flatten().flatten();
    let mut names: Vec<String> = runs.filter_map(|run| run.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    names.sort_unstable_by(|one, other| other.cmp(one));
    names.iter().filter_map(|name| candidate(typed, name, None)).collect()
}

/// `NODE.FIELD=`, `params.NAME=` and so on. As long as several nodes may be meant, only their names.
pub(super) fn settings(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else { return Vec::new() };
    if let Some((path, _)) = text.split_once('=') {
        return values(typed, path);
    }
    let owners: Vec<(String, Vec<FieldType>)> =
        known().into_iter().map(|node| (node.name, fields(&node.kind))).collect();
    let meant: Vec<_> = owners
        .iter()
        .filter(|(name, _)| format!("{name}.").starts_with(text) || text.starts_with(&format!("{name}.")))
        .collect();
    let of_top = named_at_top().into_iter().filter_map(|name| candidate(typed, &format!("{name}="), None));
    let of_nodes: Vec<CompletionCandidate> = match meant.as_slice() {
        [(name, fields)] => fields.iter().filter_map(|field| assigned(typed, name, field)).collect(),
        several => several
            .iter()
            .flat_map(|(name, fields)| match text.strip_prefix(&format!("{name}.")) {
                Some(_) => fields.iter().filter_map(|field| assigned(typed, name, field)).collect(),
                None => Vec::from_iter(candidate(typed, &format!("{name}."), None)),
            })
            .collect(),
    };
    of_nodes.into_iter().chain(of_top).collect()
}

fn assigned(typed: &OsStr, node: &str, field: &FieldType) -> Option<CompletionCandidate> {
    candidate(typed, &format!("{node}.{}=", field.name), Some(&field.ty.words()))
}

/// What may stand behind `=`, where that are names.
fn values(typed: &OsStr, path: &str) -> Vec<CompletionCandidate> {
    let node = known().into_iter().find(|node| path.starts_with(&format!("{}.", node.name)));
    let field = node.and_then(|node| {
        let name = path.strip_prefix(&format!("{}.", node.name))?;
        fields(&node.kind).into_iter().find(|field| field.name == name)
    });
    let Some(ty) = field.map(|field| field.ty) else { return Vec::new() };
    let bools = if ty.is_bool() { &["true", "false"][..] } else { &[] };
    let plain = ty.variants().into_iter().filter(|variant| variant.holds.is_none()).map(|variant| variant.name);
    bools.iter().copied().chain(plain).filter_map(|name| candidate(typed, &format!("{path}={name}"), None)).collect()
}

fn fields(kind: &str) -> Vec<FieldType> {
    Type::of_kind(kind).map(Type::fields).unwrap_or_default()
}

/// The parameters, axes and plain fields of the pipeline.
fn named_at_top() -> Vec<String> {
    let Some(text) = text() else { return Vec::new() };
    let named = lsp::params(&text);
    named.into_iter().chain(["seed".to_owned()]).collect()
}

fn text() -> Option<String> {
    read_text(&line::pipeline()?).ok()
}

/// The nodes; of a pipeline that is right, also those that its `matrix` makes.
fn known() -> Vec<NodeName> {
    let Some(path) = line::pipeline() else { return Vec::new() };
    let written =
        text().map(|text| lsp::nodes(&text).into_iter().map(|node| node.named).collect::<Vec<_>>()).unwrap_or_default();
    let made = made(&path);
    if made.is_empty() { written } else { made }
}

fn made(path: &Path) -> Vec<NodeName> {
    let Ok(pipeline) = load(path, &Overrides::default()) else { return Vec::new() };
    let of = |node: &Node| NodeName { name: node.name.clone(), kind: node.kind.name().to_owned() };
    pipeline.nodes.values().map(of).collect()
}

/// A name that starts as typed. One that a shell would read otherwise is not offered: shells put it in as it is.
fn candidate(typed: &OsStr, name: &str, about: Option<&str>) -> Option<CompletionCandidate> {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+@,=:/".contains(c);
    let fits = name.starts_with(typed.to_str()?) && name.chars().all(is_plain);
    let help = about.map(|about| about.replace(char::is_control, " ").into());
    fits.then(|| CompletionCandidate::new(name).help(help))
}
