//! What is asked of a result, which is no part of making it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};

use crate::Fraction;

/// The least that a number which a node measures of what it made may be.
///
/// It is in no key: what is made is the same whatever is asked of it, so that a changed threshold judges what is there again
/// and makes nothing anew. The engine judges, by [`crate::kinds::Bar`], each time that the artifact is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Threshold(Fraction);

impl Threshold {
    /// The name under which [`crate::Value`] recognises one when it is serialised.
    pub(crate) const TOKEN: &'static str = "$threshold";

    /// A threshold, if it is from 0 to 1.
    pub fn new(value: f64) -> Option<Self> {
        Fraction::new(value).map(Self)
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0.get()
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(Self::TOKEN, &self.0)
    }
}

impl JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        Fraction::schema_name()
    }

    fn inline_schema() -> bool {
        Fraction::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fraction::json_schema(generator)
    }
}
