//! What is in a pipeline besides nodes.

use crate::pipeline::{FieldType, Type};

/// Something in a pipeline that is no kind.
#[derive(Debug)]
pub(super) struct Topic {
    /// Its name, as one asks for it.
    pub(super) name: &'static str,
    /// What it is, in one line.
    pub(super) summary: &'static str,
    /// What there is to know.
    pub(super) doc: &'static str,
    /// A pipeline with it.
    pub(super) example: &'static str,
}

/// All of them.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "settings",
        summary: "how nodes are run: device, threads, memory, seed, samples while training",
        doc: include_str!("settings.txt"),
        example: include_str!("settings.ron"),
    },
    Topic {
        name: "params",
        summary: "values that are written once and used in many places",
        doc: include_str!("params.txt"),
        example: include_str!("params.ron"),
    },
    Topic {
        name: "matrix",
        summary: "sweeps: one node of the file stands for many",
        doc: include_str!("matrix.txt"),
        example: include_str!("matrix.ron"),
    },
];

impl Topic {
    /// The fields that it has.
    pub(super) fn fields(&self) -> Vec<FieldType> {
        match self.name {
            "settings" => {
                let settings = Type::pipeline().field("settings").and_then(|settings| settings.ty.value());
                settings.map(Type::fields).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pipeline::{Overrides, Pipeline};

    #[test]
    fn every_example_is_right() {
        for topic in TOPICS {
            let checked = Pipeline::parse(topic.example, Path::new("p.ron"), &Overrides::default());
            let pipeline = checked.unwrap_or_else(|errors| panic!("{}: {errors:?}", topic.name));
            assert!(pipeline.warnings.is_empty(), "{}: {:?}", topic.name, pipeline.warnings);
        }
    }
}
