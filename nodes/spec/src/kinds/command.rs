//! The open end: any program, in any language.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::Problem;
use crate::{Artifact, File, Ref, types};

/// Runs a program in an empty directory of its own.
///
/// `$FLOW_IN_LEFT` is the directory of input `left`, `$FLOW_FILE_SRC` the file or folder `src`, `$FLOW_OUT`
/// the directory that becomes the node's artifact, all absolute. Of the environment the program sees `PATH`,
/// `HOME` and what `env` lists. Keyed are the `program` strings, the content of `files`, the inputs, and
/// names and values of `env`; not `PATH`, `HOME`, or the executable that is found.
///
/// `files` are copies, made when the node starts and alone with what they need: what lies beside them is not there. So nothing
/// that is edited meanwhile gets into the result. Where the file system shares blocks a copy takes no room; elsewhere what
/// is larger than 64 MiB (a file counts for 32 KiB more than it has) is read where it is, and the result is not kept if that was touched.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments. No shell: write `["sh", "-c", "…"]` for one.
    pub program: Vec<String>,
    /// Artifacts of other nodes, by port name.
    #[serde(default)]
    pub inputs: BTreeMap<PortName, Ref<types::Files>>,
    /// Files and folders outside the store, by port name, relative to the pipeline file.
    #[serde(default)]
    pub files: BTreeMap<PortName, File>,
    /// Environment variables that the program sees. One that is not set stays so, and setting it makes another key.
    #[serde(default)]
    pub env: BTreeSet<EnvName>,
    /// What `$FLOW_OUT` holds, for the ports that take it.
    #[serde(default = "files_artifact")]
    pub output: Artifact,
}

impl Command {
    pub(super) fn problems(&self) -> Vec<Problem> {
        program_problem(&self.program).into_iter().collect()
    }
}

/// That there is a program.
pub(super) fn program_problem(program: &[String]) -> Option<Problem> {
    let named = program.first().is_some_and(|program| !program.is_empty());
    (!named).then(|| Problem {
        field: "program",
        message: "there is no program to run".into(),
        help: "name it first, then its arguments: `program: [\"python3\", \"score.py\"]`".into(),
    })
}

fn files_artifact() -> Artifact {
    Artifact::Files
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let holds: fn(&str) -> bool = $holds;
                if holds(&text) {
                    return Ok(Self(text));
                }
                Err(D::Error::custom(format!(concat!("the name `{}` does not match ", $pattern), text)))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": concat!("^", $pattern, "$") })
            }
        }
    };
}

name!(
    /// The name of a `Command`'s port; upper-cased in its environment variable.
    PortName, "[a-z][a-z0-9_]*", |text| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    }
);
name!(
    /// The name of an environment variable.
    EnvName, "[A-Za-z_][A-Za-z0-9_]*", |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }
);
