//! JSON Schema in words.

use serde_json::{Map, Value};

/// What values of a schema are: "a whole number from 1 to 1000".
pub(super) fn of(definitions: &Map<String, Value>, schema: &Value) -> String {
    let schema = resolve(definitions, schema);
    if let Some(artifacts) = schema.get("x-artifacts").and_then(Value::as_array) {
        let names: Vec<&str> = artifacts.iter().filter_map(Value::as_str).collect();
        return match names[..] {
            ["Files"] => "the name of a node".to_owned(),
            _ => format!("the name of a node that yields {}", any_of(&names)),
        };
    }
    if schema.get("x-file").is_some() {
        return "the path of a file or folder".to_owned();
    }
    if let Some(choices) = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array) {
        return choice(definitions, choices);
    }
    match type_of(schema) {
        Some("integer") => whole(schema),
        Some("number") => number(schema),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("string") => string(schema),
        Some("array") => array(definitions, schema),
        Some("object") => object(definitions, schema),
        _ => "a value".to_owned(),
    }
}

/// An artifact type in a sentence: some are plural.
pub(super) fn with_article(artifact: &str) -> String {
    if artifact.ends_with('s') { artifact.to_owned() } else { format!("a {artifact}") }
}

/// Artifact types in a sentence: "a Dataset or Latents".
pub(super) fn any_of<S: AsRef<str>>(artifacts: &[S]) -> String {
    artifacts.iter().map(|artifact| with_article(artifact.as_ref())).collect::<Vec<_>>().join(" or ")
}

/// A value in RON, as the schema says that it is written.
pub(super) fn literal(definitions: &Map<String, Value>, schema: &Value, value: &Value) -> String {
    let resolved = resolve(definitions, schema);
    let each = |items: &[Value]| {
        let nothing = Value::Null;
        let tuple = resolved.get("prefixItems").and_then(Value::as_array);
        let schema = |i: usize| tuple.map_or(resolved.get("items"), |items| items.get(i)).unwrap_or(&nothing);
        let items = items.iter().enumerate().map(|(i, item)| literal(definitions, schema(i), item));
        items.collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::String(name) if variants(definitions, schema).contains(name) => name.clone(),
        Value::Array(items) if resolved.get("prefixItems").is_some() => format!("({})", each(items)),
        Value::Array(items) => format!("[{}]", each(items)),
        Value::Object(fields) if resolved.get("oneOf").is_some() => {
            fields.iter().map(|(name, payload)| format!("{name}({payload})")).collect()
        }
        other => other.to_string(),
    }
}

/// A long text cut short.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The names that an enum's schema allows.
pub(super) fn variants(definitions: &Map<String, Value>, schema: &Value) -> Vec<String> {
    let schema = resolve(definitions, schema);
    let choices = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array);
    choices.into_iter().flatten().flat_map(names).collect()
}

fn names(choice: &Value) -> Vec<String> {
    let constant = choice.get("const").into_iter();
    let listed = choice.get("enum").and_then(Value::as_array).into_iter().flatten();
    let unit = constant.chain(listed).filter_map(|name| Some(name.as_str()?.to_owned()));
    let fields = choice.get("properties").and_then(Value::as_object);
    unit.chain(fields.into_iter().flat_map(|fields| fields.keys().cloned())).collect()
}

/// Whether a text is how a number or a truth value of this schema is written.
pub(super) fn is_plain(definitions: &Map<String, Value>, schema: &Value, text: &str) -> bool {
    match type_of(resolve(definitions, schema)) {
        Some("integer") => text.parse::<i64>().is_ok(),
        Some("number") => text.parse::<f64>().is_ok(),
        Some("boolean") => text.parse::<bool>().is_ok(),
        _ => false,
    }
}

/// The type, `null` aside.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

fn choice(definitions: &Map<String, Value>, choices: &[Value]) -> String {
    let one = |choice: &Value| -> Vec<String> {
        if choice.get("type").and_then(Value::as_str) == Some("null") {
            return Vec::new();
        }
        let names = names(choice);
        match choice.get("properties").and_then(Value::as_object) {
            Some(fields) => fields.iter().map(|(name, payload)| variant(definitions, name, payload)).collect(),
            None if names.is_empty() => vec![of(definitions, choice)],
            None => names.iter().map(|name| format!("`{name}`")).collect(),
        }
    };
    let all: Vec<String> = choices.iter().flat_map(one).collect();
    match all.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "a value".to_owned(),
    }
}

fn variant(definitions: &Map<String, Value>, name: &str, payload: &Value) -> String {
    match payload.get("properties").and_then(Value::as_object) {
        Some(fields) => {
            let fields: Vec<String> = fields.keys().map(|field| format!("{field}: …")).collect();
            format!("`{name}({})`", fields.join(", "))
        }
        None => format!("`{name}(…)` of {}", of(definitions, payload)),
    }
}

fn whole(schema: &Value) -> String {
    // Bounds that only say "no real limit" are not worth reading.
    const HUGE: i64 = 1_000_000_000;
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    match (bound("minimum"), bound("maximum").filter(|max| *max < HUGE)) {
        (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        (Some(min), None) => format!("a whole number, {min} or above"),
        (None, Some(max)) => format!("a whole number, {max} or below"),
        (None, None) => "a whole number".to_owned(),
    }
}

fn number(schema: &Value) -> String {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    match (bound("minimum"), bound("maximum"), bound("exclusiveMinimum")) {
        (Some(min), Some(max), _) => format!("a number from {min} to {max}"),
        (Some(min), None, _) => format!("a number, {min} or above"),
        (None, _, Some(above)) => format!("a number above {above}"),
        _ => "a number".to_owned(),
    }
}

fn string(schema: &Value) -> String {
    let text = |field: &str| schema.get(field).and_then(Value::as_str);
    match (text("x-words"), text("pattern")) {
        (Some(words), _) => words.to_owned(),
        (None, Some(pattern)) => format!("text like {}", pattern.trim_start_matches('^').trim_end_matches('$')),
        (None, None) => "text".to_owned(),
    }
}

fn array(definitions: &Map<String, Value>, schema: &Value) -> String {
    let Some(items) = schema.get("prefixItems").and_then(Value::as_array) else {
        let item = schema.get("items").map_or("a value".to_owned(), |item| of(definitions, item));
        return format!("a list, each {item}");
    };
    let items: Vec<String> = items.iter().map(|item| of(definitions, item)).collect();
    match items.as_slice() {
        [first, second] if first == second => format!("a pair `(…, …)`, each {first}"),
        _ => format!("`({})`: {}", vec!["…"; items.len()].join(", "), items.join("; ")),
    }
}

fn object(definitions: &Map<String, Value>, schema: &Value) -> String {
    let pattern = schema.get("patternProperties").and_then(|patterns| patterns.as_object()?.values().next());
    match pattern.or(schema.get("additionalProperties")) {
        Some(values) if values.is_object() => format!("a map from names to {}", of(definitions, values)),
        _ => match schema.get("properties").and_then(Value::as_object) {
            Some(fields) => {
                format!("`({})`", fields.keys().map(|field| format!("{field}: …")).collect::<Vec<_>>().join(", "))
            }
            None => "fields in `(…)`".to_owned(),
        },
    }
}

/// What a schema refers to; of what may be absent, what it is when it is there.
pub(super) fn resolve<'a>(definitions: &'a Map<String, Value>, schema: &'a Value) -> &'a Value {
    let choices = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice);
    let schema = match choices {
        Some([there, absent]) if absent.get("type").is_some_and(|name| name == "null") => there,
        _ => schema,
    };
    let name = schema.get("$ref").and_then(|name| name.as_str()?.strip_prefix("#/$defs/"));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}
