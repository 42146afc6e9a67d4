//! The two leaves of a parameter that point outside it: another node's artifact, and a file.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ArtifactType;

/// A reference to the node whose artifact goes into this port.
///
/// In a pipeline file it holds the node's name. In a [`crate::Job`] it holds the port's own path
/// (`"student"`, `"rewards.0.model"`), under which [`crate::Job::input`] finds the directory: a node's
/// name reaches neither the key nor the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref<A> {
    name: String,
    artifact: PhantomData<A>,
}

impl<A> Ref<A> {
    /// The node's name (in a pipeline) or the port's path (in a job).
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<A: ArtifactType> Serialize for Ref<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(A::TOKEN, &self.name)
    }
}

impl<'de, A> Deserialize<'de> for Ref<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self { name, artifact: PhantomData })
    }
}

impl<A: ArtifactType> JsonSchema for Ref<A> {
    fn schema_name() -> Cow<'static, str> {
        A::TAKES.iter().fold("Ref".to_owned(), |name, artifact| format!("{name}{artifact}")).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-artifacts": A::TAKES })
    }
}

/// A file or folder outside the store, relative to the pipeline file; keyed by content.
///
/// In a [`crate::Job`] it holds the port's path, under which [`crate::Job::file`] finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File(String);

impl File {
    pub(crate) const TOKEN: &'static str = "$file";

    /// The path as written (in a pipeline) or the port's path (in a job).
    pub fn path(&self) -> &str {
        &self.0
    }
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(Self::TOKEN, &self.0)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for File {
    fn schema_name() -> Cow<'static, str> {
        "File".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-file": true })
    }
}
