//! The environment variables that a `Command` lists, as its key holds them.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use hyper_flow_spec::Kind;
use serde_json::{Value, json};

/// The values of the variables that the node sees. One that is not set is left out: it stays unset for
/// the program, and setting it makes another key.
pub(super) fn of(kind: &Kind) -> BTreeMap<String, Value> {
    let Kind::Command(command) = kind else { return BTreeMap::new() };
    let value = |name: &str| std::env::var_os(name).map(|value| (name.to_owned(), encode(&value)));
    command.env.iter().filter_map(|name| value(name.as_str())).collect()
}

/// Text as it is; other bytes as a list of numbers, so that no two values look alike.
fn encode(value: &OsStr) -> Value {
    match value.to_str() {
        Some(text) => json!(text),
        None => json!(value.as_encoded_bytes()),
    }
}
