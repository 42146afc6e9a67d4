//! The log of a node, read as it is printed: it may be longer than memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::run::NodeEvents;

/// What a node and the engine said, in order. As JSON, a list of texts.
#[derive(Debug, Clone, Default)]
pub struct Messages(NodeEvents);

/// The training steps of a node. As JSON, a list of [`Step`]s.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    events: NodeEvents,
    /// How many there are.
    pub count: usize,
}

/// A training step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: u64,
    /// How many there are.
    pub of: u64,
    /// The loss terms.
    pub losses: BTreeMap<String, f64>,
}

impl Messages {
    /// Those of `events`.
    pub(crate) fn of(events: NodeEvents) -> Messages {
        Messages(events)
    }

    /// One after the other.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(String) -> Result<(), E>) -> Result<(), E> {
        self.0.each(|name, line| message(name, line).map_or(Ok(()), &mut visit))
    }
}

impl Steps {
    /// Those of `events`, which are so many.
    pub(crate) fn of(events: NodeEvents, count: usize) -> Steps {
        Steps { events, count }
    }

    /// Those at `indices`, which rise.
    pub(crate) fn at(&self, indices: &[usize]) -> Vec<Step> {
        let (mut index, mut wanted, mut found) = (0, indices.iter().peekable(), Vec::new());
        let Ok(()) = self.events.each(|name, line| {
            if name == "step" {
                if wanted.next_if_eq(&&index).is_some() {
                    found.extend(step(line));
                }
                index += 1;
            }
            Ok::<_, Infallible>(())
        });
        found
    }
}

impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.each(|message| list.serialize_element(&message))?;
        list.end()
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.events.each(|name, line| match name {
            "step" => step(line).map_or(Ok(()), |step| list.serialize_element(&step)),
            _ => Ok(()),
        })?;
        list.end()
    }
}

/// What is wanted of an event, whichever it is.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    step: u64,
    of: u64,
    value: Value,
    losses: BTreeMap<String, Option<f64>>,
}

fn message(name: &str, line: &[u8]) -> Option<String> {
    if !["message", "resumed", "metric", "node_retried", "node_failed"].contains(&name) {
        return None;
    }
    let told: Told<'_> = serde_json::from_slice(line).ok()?;
    Some(match name {
        "message" => format!("{}: {}", told.level, told.text),
        "resumed" => format!("resumed after step {}", told.step),
        "metric" => format!("{}: {}", told.name, told.value),
        "node_retried" => format!("failed, and was tried again: {}", told.message),
        _ => told.message.into_owned(),
    })
}

/// A loss that is no number is null there.
fn step(line: &[u8]) -> Option<Step> {
    let told: Told<'_> = serde_json::from_slice(line).ok()?;
    let losses = told.losses.into_iter().filter_map(|(name, loss)| Some((name, loss?)));
    Some(Step { step: told.step, of: told.of, losses: losses.collect() })
}
