//! Parameters of a preimage as text.

use serde_json::{Map, Value};

/// A parameter in the manner of the pipeline language; a reference as the port it goes into.
pub(crate) fn ron(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::Array(items)) => list("[", items.iter().map(|item| ron(Some(item))), "]"),
        Some(value) if port(value).is_some() => port(value).unwrap_or_default().to_owned(),
        Some(Value::Object(entries)) => object(entries),
        Some(value) => value.to_string(),
    }
}

fn object(entries: &Map<String, Value>) -> String {
    let fields = || entries.iter().map(|(name, value)| format!("{name}: {}", ron(Some(value))));
    match entries.iter().next() {
        Some((name, payload)) if entries.len() == 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) => {
            let payload = ron(Some(payload));
            if payload.starts_with('(') { format!("{name}{payload}") } else { format!("{name}({payload})") }
        }
        _ => list("(", fields(), ")"),
    }
}

fn list(open: &str, items: impl Iterator<Item = String>, close: &str) -> String {
    format!("{open}{}{close}", items.collect::<Vec<_>>().join(", "))
}

/// The port of a reference or file, which is a marker among the parameters.
pub(super) fn port(value: &Value) -> Option<&str> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    entries.get("$input").or_else(|| entries.get("$file"))?.as_str()
}
