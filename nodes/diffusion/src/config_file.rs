//! `config.json` as diffusers writes it. What is not supported is refused by name, never ignored.

use crate::error::DiffusionError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The version whose fields these are.
const DIFFUSERS: &str = "0.42.0";

/// The configuration of a diffusers model.
pub(crate) trait ConfigFile: Serialize + DeserializeOwned {
    /// The Python class.
    const CLASS: &'static str;

    /// Fields of which one value is supported, and that value.
    fn fixed_fields() -> Value;

    /// That the parts fit each other.
    fn check(&self) -> Result<(), DiffusionError>;
}

/// Reads and checks a `config.json`.
pub(crate) fn read<C: ConfigFile>(path: &Path) -> Result<C, DiffusionError> {
    let io = |source| DiffusionError::Io { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    from_json(&text).map_err(|message| DiffusionError::Config { what: path.display().to_string(), message })
}

/// Writes a `config.json` that diffusers opens, with every field.
pub(crate) fn write<C: ConfigFile>(config: &C, path: &Path) -> Result<(), DiffusionError> {
    let io = |source| DiffusionError::Io { action: "write", path: path.to_owned(), source };
    std::fs::write(path, to_json(config)).map_err(io)
}

pub(crate) fn from_json<C: ConfigFile>(text: &str) -> Result<C, String> {
    let mut fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match fields.get("_class_name").and_then(Value::as_str) {
        Some(class) if class != C::CLASS => return Err(format!("_class_name is {class}, not {}", C::CLASS)),
        _ => {}
    }
    fields.retain(|name, _| !name.starts_with('_'));
    if let Value::Object(fixed) = C::fixed_fields() {
        for (name, supported) in &fixed {
            take_fixed(&mut fields, name, supported)?;
        }
    }
    let config: C = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
    config.check().map_err(|e| e.to_string())?;
    Ok(config)
}

pub(crate) fn to_json<C: ConfigFile>(config: &C) -> String {
    let mut all = json!({"_class_name": C::CLASS, "_diffusers_version": DIFFUSERS});
    for part in [json!(config), C::fixed_fields()] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    format!("{all:#}\n")
}

/// An error of `class`'s configuration unless `holds`.
pub(crate) fn require(class: &str, holds: bool, message: &str) -> Result<(), DiffusionError> {
    let error = || DiffusionError::Config { what: class.to_owned(), message: message.to_owned() };
    holds.then_some(()).ok_or_else(error)
}

/// Takes a field of which one value is supported out of `fields`.
fn take_fixed(fields: &mut Map<String, Value>, name: &str, supported: &Value) -> Result<(), String> {
    match fields.remove(name) {
        Some(value) if !same(&value, supported) => Err(format!("{name} is {value}; only {supported} is supported")),
        _ => Ok(()),
    }
}

/// Equal, or equal as numbers, or a list of equals.
fn same(value: &Value, supported: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(|v| same(v, supported)),
        Value::Number(_) => value.as_f64() == supported.as_f64(),
        _ => value == supported,
    }
}
