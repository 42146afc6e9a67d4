//! The log of a node, read as it is printed: it may be longer than memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use hyper_flow_spec::Memory;
use hyper_flow_spec::metrics::Metrics;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::room::Room;
use crate::run::Series;

/// A node's run.
#[derive(Debug, Default, Serialize)]
pub struct Logged {
    /// The node.
    pub node: String,
    /// The run.
    pub run: String,
    /// What the node is called there, if it is called otherwise now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// The runs that it went on from, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub went_on_from: Vec<String>,
    /// Where all of its log is.
    pub directory: PathBuf,
    /// How it ended: `node_ran`, `node_failed`, `node_interrupted`; none while it goes on, or if the engine was killed.
    pub ended: Option<String>,
    /// Whether it goes on.
    pub running: bool,
    /// How long it took, if it was done.
    pub seconds: Option<f64>,
    /// The most memory that its worker has had, as far as it said.
    pub memory: Option<Memory>,
    /// What it and the engine said, in order.
    pub messages: Messages,
    /// Its training steps, from the first on.
    pub steps: Steps,
    /// What an `Eval` measured.
    pub metrics: Option<Metrics>,
    /// The command that shows all of it.
    #[serde(skip)]
    pub show: String,
    /// What its numbers are shown on.
    #[serde(skip)]
    pub sheet: Sheet,
    /// Whether they are drawn.
    #[serde(skip)]
    pub plot: bool,
    /// What it printed on standard output, of a `Command`.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

/// What tables and curves are fitted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sheet {
    /// How wide it is.
    pub room: Room,
    /// Whether it shows no more than ASCII.
    pub ascii: bool,
}

/// What a node and the engine said, in order. As JSON, a list of texts.
#[derive(Debug, Clone, Default)]
pub struct Messages(Series);

/// The training steps of a node. As JSON, a list of [`Step`]s.
#[derive(Debug, Clone, Default)]
pub struct Steps(Series);

/// A training step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: u64,
    /// How many there are.
    pub of: u64,
    /// The loss terms.
    pub losses: BTreeMap<String, f64>,
    /// The other numbers that were told of it: learning rates, norms of gradients, samples per second, memory.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub numbers: Map<String, Value>,
}

impl Messages {
    /// Those of `events`.
    pub(crate) fn of(events: Series) -> Messages {
        Messages(events)
    }

    /// One after the other.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(String) -> Result<(), E>) -> Result<(), E> {
        self.0.each(|name, line| message(name, line).map_or(Ok(()), &mut visit))
    }
}

impl Steps {
    /// Those of `events`.
    pub(crate) fn of(events: Series) -> Steps {
        Steps(events)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// The first and the last.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        self.0.span()
    }

    /// One after the other.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        self.0.each(|name, line| match name {
            "step" => step(line).map_or(Ok(()), &mut visit),
            _ => Ok(()),
        })
    }

    /// Those at `indices`, which rise.
    pub(crate) fn at(&self, indices: &[usize]) -> Vec<Step> {
        let (mut index, mut wanted, mut found) = (0, indices.iter().peekable(), Vec::new());
        let Ok(()) = self.0.each(|name, line| {
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
        self.each(|step| list.serialize_element(&step))?;
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
    value: Value,
    checkpoint: Option<u64>,
    path: PathBuf,
}

/// What an event says to people; nothing if it is of no interest to them.
pub(crate) fn message(name: &str, line: &[u8]) -> Option<String> {
    if !["message", "resumed", "metric", "sample", "node_retried", "node_failed", "node_interrupted"].contains(&name) {
        return None;
    }
    let told: Told<'_> = serde_json::from_slice(line).ok()?;
    Some(match name {
        "message" => format!("{}: {}", told.level, told.text),
        "resumed" => format!("resumed after step {}", told.step),
        "metric" => format!("{}: {}", told.name, told.value),
        "sample" => format!("drew after step {}: samples/{}", told.step, told.path.display()),
        "node_interrupted" => match told.checkpoint {
            Some(step) => format!("interrupted, with a checkpoint after step {step}"),
            None => "interrupted".to_owned(),
        },
        "node_retried" => format!("failed, and was tried again: {}", told.message),
        _ => told.message.into_owned(),
    })
}

/// What every line of the log has, or every step.
const NO_NUMBERS: [&str; 6] = ["time", "node", "event", "step", "of", "losses"];

/// A loss that is no number is null there.
pub(crate) fn step(line: &[u8]) -> Option<Step> {
    let told: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let whole = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or(0);
    let losses = told.get("losses").and_then(Value::as_object).into_iter().flatten();
    let losses = losses.filter_map(|(name, loss)| Some((name.clone(), loss.as_f64()?))).collect();
    let (step, of) = (whole("step"), whole("of"));
    let numbers = told.into_iter().filter(|(name, _)| !NO_NUMBERS.contains(&name.as_str())).collect();
    Some(Step { step, of, losses, numbers })
}

impl Step {
    /// All its numbers with their names, in an order that does not change from step to step: the losses (their sum first if
    /// there are several), then what is known to matter, then the rest. A name is that of the number, with what it is of
    /// if there are several of it.
    pub(crate) fn named(&self) -> Vec<(String, f64)> {
        const ORDER: [&str; 4] = ["lr", "grad_norm", "speed", "memory"];
        let several = self.losses.len() > 1 && !self.losses.contains_key("loss");
        let sum = several.then(|| ("loss".to_owned(), self.losses.values().sum()));
        let losses = self.losses.iter().map(|(name, loss)| (name.clone(), *loss));
        let mut rest: Vec<(&String, &Value)> = self.numbers.iter().collect();
        rest.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
        let numbers = rest.into_iter().flat_map(|(name, value)| numbers(name, value));
        sum.into_iter().chain(losses).chain(numbers).collect()
    }
}

fn numbers(name: &str, value: &Value) -> Vec<(String, f64)> {
    let of = |part: &String, all: usize| if all == 1 { name.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(parts) => {
            parts.iter().filter_map(|(part, value)| Some((of(part, parts.len()), value.as_f64()?))).collect()
        }
        value => value.as_f64().map(|value| (name.to_owned(), value)).into_iter().collect(),
    }
}
