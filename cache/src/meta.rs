//! What a publisher says of a record.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What the publisher of a record says of it, opaque to the store: JSON, kept as text, because of thousands of records that are
/// looked up few are asked, and shared by all copies of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta(Arc<str>);

impl Meta {
    /// Of a text that was written by [`Meta::text`]; what is no JSON says nothing.
    pub(crate) fn of_text(text: &str) -> Meta {
        Meta(text.into())
    }

    /// The JSON, on one line.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// All of it.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// What is wanted of it.
    ///
    /// # Errors
    /// Something that is wanted is not there, or of another type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }
}

impl From<Value> for Meta {
    fn from(value: Value) -> Meta {
        Meta(value.to_string().into())
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Meta, D::Error> {
        Value::deserialize(deserializer).map(Meta::from)
    }
}
