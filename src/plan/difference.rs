//! What differs between two preimages.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::text::{port, ron};

/// The longest value that is shown whole.
const WIDTH: usize = 60;

/// A place in which two preimages differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What of the node it is in.
    #[serde(skip)]
    pub part: Part,
    /// Where in that part; of an input or file, its port. Empty for a part without places.
    #[serde(skip)]
    pub path: String,
    /// The value before; none if there was none.
    pub old: Option<Value>,
    /// The value now; none if there is none.
    pub new: Option<Value>,
}

/// The parts of a preimage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The encoding of all keys.
    Format,
    /// The kind.
    Kind,
    /// The version of the kind.
    Version,
    /// A parameter.
    Params,
    /// An input artifact.
    Inputs,
    /// A file outside the store.
    Files,
    /// An environment variable.
    Env,
    /// The seed.
    Seed,
    /// The class of the device.
    Class,
}

const PARTS: [(Part, &str); 9] = [
    (Part::Format, "format"),
    (Part::Kind, "kind"),
    (Part::Version, "version"),
    (Part::Params, "params"),
    (Part::Inputs, "inputs"),
    (Part::Files, "files"),
    (Part::Env, "env"),
    (Part::Seed, "seed"),
    (Part::Class, "class"),
];

impl Part {
    fn name(self) -> &'static str {
        PARTS.iter().find(|(part, _)| *part == self).map_or("", |(_, name)| name)
    }
}

impl Difference {
    /// The place as people name it: `params.steps`, `inputs.student`, `seed`.
    pub fn place(&self) -> String {
        let part = self.part.name();
        // A `Command` has its ports under fields of the same names: `inputs.left`, `files.src`.
        match self.path.strip_prefix(part).and_then(|rest| rest.strip_prefix('.')) {
            _ if self.path.is_empty() => part.to_owned(),
            Some(port) if self.part != Part::Params => format!("{part}.{port}"),
            _ => format!("{part}.{}", self.path),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = contrast(&ron(self.old.as_ref()), &ron(self.new.as_ref()));
        match self.part {
            Part::Version => write!(f, "kind version {old} → {new}"),
            Part::Format => write!(f, "format of keys {old} → {new}"),
            _ => write!(f, "{}: {old} → {new}", self.place()),
        }
    }
}

/// Where two preimages differ, part by part. Of nodes of two kinds only that is told.
pub fn differences(old: &[u8], new: &[u8]) -> Vec<Difference> {
    let (old, new) = (parse(old), parse(new));
    if old.get("kind") != new.get("kind") {
        let whole = |value: &Map<String, Value>| value.get("kind").cloned();
        return vec![Difference { part: Part::Kind, path: String::new(), old: whole(&old), new: whole(&new) }];
    }
    // A map that is left out of a preimage is an empty one.
    let none = Value::Object(Map::new());
    let get = |preimage, part| -> Option<&Value> {
        let map = matches!(part, Part::Params | Part::Inputs | Part::Files | Part::Env);
        Map::get(preimage, part.name()).or(map.then_some(&none))
    };
    let mut found = Vec::new();
    for (part, _) in PARTS {
        compare(part, String::new(), get(&old, part), get(&new, part), &mut found);
    }
    found
}

fn parse(preimage: &[u8]) -> Map<String, Value> {
    match serde_json::from_slice(preimage) {
        Ok(Value::Object(parts)) => parts,
        _ => Map::new(),
    }
}

fn compare(part: Part, path: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    match (old, new) {
        _ if old == new => {}
        // A reference is a marker in the parameters; what is behind it is compared as input or file.
        (Some(value), None) | (None, Some(value)) if port(value).is_some() => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) if path.is_empty() || comparable(a, b) => {
            for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                compare(part, join(&path, name, a, b), a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                let path = if path.is_empty() { index.to_string() } else { format!("{path}.{index}") };
                compare(part, path, Some(a), Some(b), found);
            }
        }
        _ => found.push(Difference { part, path, old: old.cloned(), new: new.cloned() }),
    }
}

/// Two structs of one type have names in common; two variants of an enum, or two references, do not.
fn comparable(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.is_empty() || b.is_empty() || a.keys().any(|name| b.contains_key(name) && !name.starts_with('$'))
}

/// The name of an enum's variant (`{"Clip": {…}}`) is no step of a path, as it is none of a port's.
fn join(path: &str, name: &str, a: &Map<String, Value>, b: &Map<String, Value>) -> String {
    let variant = a.len() == 1 && b.len() == 1 && name.starts_with(|c: char| c.is_ascii_uppercase());
    match (path, variant) {
        ("", _) => name.to_owned(),
        (path, true) => path.to_owned(),
        (path, false) => format!("{path}.{name}"),
    }
}

/// Cuts long texts to where they differ, so that they never look alike.
fn contrast(old: &str, new: &str) -> (String, String) {
    let common = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let skipped =
        if old.chars().count().max(new.chars().count()) > WIDTH { common.saturating_sub(WIDTH / 4) } else { 0 };
    (cut(old, skipped), cut(new, skipped))
}

fn cut(text: &str, skipped: usize) -> String {
    let before = if skipped > 0 { "…" } else { "" };
    let mut rest = text.chars().skip(skipped);
    let shown: String = rest.by_ref().take(WIDTH).collect();
    let after = if rest.next().is_some() { "…" } else { "" };
    format!("{before}{shown}{after}")
}
