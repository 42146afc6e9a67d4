//! Pins, as the commands about them see them.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper_flow_cache::{Pin, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::commands::context::Context;
use crate::commands::run::lock;
use crate::commands::source::{self, Overriding};
use crate::commands::{again, artifact};
use crate::error::Failure;
use crate::output::report::{Pinned, Pins};
use crate::pipeline::suggest::instead;
use crate::run::file_name;
use crate::runs::Origin;

/// What begins the name of a pin where a node could be meant.
pub(super) const MARK: char = '@';

/// What a pin says of itself to people.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    node: String,
    pipeline: String,
    /// In seconds since 1970.
    pinned: u64,
}

/// Keeps the present artifact of a node, or that of a run, under this name or one made from the node's. `given` are the words
/// of the command line.
pub(super) fn pin(
    (file, node): (&std::path::Path, &String),
    name: Option<&str>,
    (given, overriding): (&[String], &Overriding),
    context: &Context,
) -> Result<Pins, Failure> {
    // What is kept must not be collected before the pin is there.
    let store = context.existing_store()?;
    let _lock = lock(&store, context)?;
    let record = match overriding.past(file, &store)? {
        Some(past) => artifact::of_run(&past, node, &store, context)?,
        None => {
            let planned = source::load_one(file, node, overriding, context)?.plan.nodes.pop();
            let planned = planned.expect("a plan for a node has it");
            let missing = || artifact::missing(&planned, &again::Again::of(given, overriding, context));
            planned.record.clone().ok_or_else(missing)?
        }
    };
    let name = match name {
        Some(name) => checked(name)?.to_owned(),
        None => format!("{}-{}", file_name(node), &record.key.short()[..6]),
    };
    let said = Note {
        node: node.clone(),
        pipeline: Origin::of(file, &store).path().to_string_lossy().into_owned(),
        pinned: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
    };
    let pin = Pin { name, key: record.key, note: serde_json::to_value(said).expect("a note is plain JSON") };
    if let Some(other) = store.pins()?.into_iter().find(|other| other.name == pin.name && other.key != pin.key) {
        let message = format!("`{}` is the name of another artifact, of {}", pin.name, note(&other).node);
        return Err(Failure::usage(
            message,
            format!("use another name, or `{}` first", again::command(context, "unpin", &[&pin.name])),
        ));
    }
    store.pin(&pin)?;
    Ok(list(&store, vec![pin], context)?)
}

/// As they are told.
pub(super) fn list(store: &Store, pins: Vec<Pin>, context: &Context) -> Result<Pins, StoreError> {
    let pins = pins.into_iter().map(|pin| describe(store, pin, context)).collect::<Result<_, _>>()?;
    Ok(Pins { pins, again: again::command(context, "pin", &["NODE"]) })
}

/// The record that a word like `@name` means.
pub(super) fn find(word: &str, store: &Store) -> Result<Record, Failure> {
    let name = unmarked(word);
    let pins = store.pins()?;
    let pin = pins.iter().find(|pin| pin.name == name).ok_or_else(|| unknown(name, &pins))?;
    let lost = || Failure::usage(format!("the artifact that `{name}` kept is lost"), "make it anew, and pin it again");
    store.lookup(&pin.key)?.ok_or_else(lost)
}

/// There is no such pin.
pub(super) fn unknown(name: &str, pins: &[Pin]) -> Failure {
    let names: Vec<&str> = pins.iter().map(|pin| pin.name.as_str()).collect();
    Failure::usage(format!("nothing is pinned as `{name}`"), instead(name, &names, "pins"))
}

/// The name of a pin, written with or without its mark.
pub(super) fn unmarked(word: &str) -> &str {
    word.strip_prefix(MARK).unwrap_or(word)
}

fn describe(store: &Store, pin: Pin, context: &Context) -> Result<Pinned, StoreError> {
    let Note { node, pipeline, pinned } = note(&pin);
    let bytes = store.record(&pin.key)?.map(|record| record.bytes);
    let release = again::command(context, "unpin", &[&pin.name]);
    Ok(Pinned { name: pin.name, node, pipeline, key: pin.key, bytes, pinned, release })
}

fn note(pin: &Pin) -> Note {
    serde_json::from_value(pin.note.clone()).unwrap_or_default()
}

/// It becomes the name of a file, and a word on command lines.
fn checked(name: &str) -> Result<&str, Failure> {
    let word = unmarked(name);
    let plain = |c: char| c.is_alphanumeric() || "-_.,+=@{}".contains(c);
    if word.is_empty() || word.len() > 100 || word.starts_with(['.', '-', MARK]) || !word.chars().all(plain) {
        let message = format!("`{name}` cannot be the name of a pin");
        return Err(Failure::usage(message, "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"));
    }
    Ok(word)
}
