//! The tree itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, json};

use super::serializer::ValueSerializer;
use crate::Artifact;

/// Parsed parameters as a tree without types: maps sorted, enums by name, references and files apart.
///
/// Two parameter sets that mean the same have the same tree, however they were written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An absent option, or the payload of an enum variant that has none.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number, never −0; not a number is one value.
    Float(f64),
    /// Text.
    Str(String),
    /// A list or tuple.
    Seq(Vec<Value>),
    /// A struct or map.
    Map(BTreeMap<String, Value>),
    /// An enum variant and what it holds.
    Variant(String, Box<Value>),
    /// A reference to another node's artifact, or a file.
    Leaf(Leaf),
    /// What is asked of the result: in the job, and in no key.
    Threshold(Box<Value>),
}

/// What points out of a parameter tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A node whose artifact is used here.
    Node {
        /// What the port takes.
        takes: &'static [Artifact],
        /// The name of the node.
        name: String,
    },
    /// A file or folder, as written in the pipeline file.
    File(String),
}

/// What is written in one way for a job and in another for a key.
enum Outside<'a> {
    Leaf(&'a Leaf),
    Threshold(&'a Value),
}

impl Value {
    /// The tree of any serialisable parameters.
    ///
    /// # Panics
    /// On maps whose keys are not strings, and on bytes: no parameter has them.
    pub fn of<T: Serialize + ?Sized>(params: &T) -> Value {
        params.serialize(ValueSerializer).expect("parameters are maps, lists, enums, numbers and text")
    }

    /// Every leaf with the path of its port, in order of path: `student`, `loras.tscd`, `rewards.0.model`.
    pub fn leaves(&self) -> Vec<(String, &Leaf)> {
        let mut found = Vec::new();
        self.visit(String::new(), &mut |path, leaf| found.push((path.to_owned(), leaf)));
        found
    }

    fn visit<'a>(&'a self, path: String, found: &mut impl FnMut(&str, &'a Leaf)) {
        match self {
            Value::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.visit(join(&path, &index.to_string()), found);
                }
            }
            Value::Map(entries) => {
                for (name, entry) in entries {
                    entry.visit(join(&path, name), found);
                }
            }
            Value::Variant(_, payload) => payload.visit(path, found),
            Value::Leaf(leaf) => found(&path, leaf),
            _ => {}
        }
    }

    /// As plain JSON, as serde reads it back into the typed parameters. A reference becomes the path of its
    /// port, so that nothing in it depends on names.
    pub fn to_job(&self) -> serde_json::Value {
        self.json(String::new(), &|path, leaf| match leaf {
            Outside::Leaf(_) => json!(path),
            Outside::Threshold(value) => value.json(path.to_owned(), &|_, _| serde_json::Value::Null),
        })
    }

    /// As JSON for keys: absent options are left out (so that a new optional field changes no key), thresholds too, and a
    /// reference is `{"$input": path}` or `{"$file": path}`, its content being keyed apart.
    pub fn to_key(&self) -> serde_json::Value {
        let json = self.json(String::new(), &|path, leaf| match leaf {
            Outside::Leaf(Leaf::Node { .. }) => json!({ "$input": path }),
            Outside::Leaf(Leaf::File(_)) => json!({ "$file": path }),
            Outside::Threshold(_) => serde_json::Value::Null,
        });
        without_nulls(json)
    }

    fn json(&self, path: String, outside: &impl Fn(&str, Outside<'_>) -> serde_json::Value) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(v) => json!(v),
            Value::Int(v) => json!(v),
            Value::Float(v) if v.is_finite() => json!(v),
            Value::Float(v) => json!(v.to_string()),
            Value::Str(v) => json!(v),
            Value::Seq(items) => {
                items.iter().enumerate().map(|(i, item)| item.json(join(&path, &i.to_string()), outside)).collect()
            }
            Value::Map(entries) => {
                let entries =
                    entries.iter().map(|(name, entry)| (name.clone(), entry.json(join(&path, name), outside)));
                serde_json::Value::Object(entries.collect())
            }
            Value::Variant(name, payload) if **payload == Value::Null => json!(name),
            Value::Variant(name, payload) => {
                serde_json::Value::Object(Map::from_iter([(name.clone(), payload.json(path, outside))]))
            }
            Value::Leaf(found) => outside(&path, Outside::Leaf(found)),
            Value::Threshold(value) => outside(&path, Outside::Threshold(value)),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn without_nulls(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(entries) => {
            let kept = entries.into_iter().filter(|(_, v)| !v.is_null());
            serde_json::Value::Object(kept.map(|(k, v)| (k, without_nulls(v))).collect())
        }
        serde_json::Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::{File, Ref, types};

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    enum Shape {
        Unit,
        New(f64),
        Struct { model: Ref<types::Clip>, weight: f64 },
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Params {
        shapes: Vec<Shape>,
        data: Ref<types::Dataset>,
        loras: BTreeMap<String, Ref<types::Lora>>,
        src: File,
        option: Option<u32>,
        pair: (f64, f64),
    }

    fn params() -> Params {
        let text = r#"(shapes: [Unit, New(-0.0), Struct(model: "clip", weight: 1.0)], data: "digits",
            loras: {"b": "tscd", "a": "unified"}, src: "x/y.txt", option: None, pair: (1.0, 2.5))"#;
        ron::from_str(text).unwrap()
    }

    #[test]
    fn leaves_are_found_with_their_ports() {
        let value = Value::of(&params());
        let found: Vec<String> = value.leaves().into_iter().map(|(path, leaf)| format!("{path} {leaf:?}")).collect();
        assert_eq!(
            found,
            [
                r#"data Node { takes: [Dataset], name: "digits" }"#,
                r#"loras.a Node { takes: [Lora], name: "unified" }"#,
                r#"loras.b Node { takes: [Lora], name: "tscd" }"#,
                r#"shapes.2.model Node { takes: [Clip], name: "clip" }"#,
                r#"src File("x/y.txt")"#,
            ]
        );
    }

    #[test]
    fn a_key_forgets_names_and_absent_options_and_the_sign_of_zero() {
        let key = serde_json::to_string(&Value::of(&params()).to_key()).unwrap();
        assert_eq!(
            key,
            r#"{"data":{"$input":"data"},"loras":{"a":{"$input":"loras.a"},"b":{"$input":"loras.b"}},"pair":[1.0,2.5],"#
                .to_owned()
                + r#""shapes":["Unit",{"New":0.0},{"Struct":{"model":{"$input":"shapes.2.model"},"weight":1.0}}],"#
                + r#""src":{"$file":"src"}}"#
        );
    }

    #[test]
    fn a_job_is_read_back_with_ports_for_names() {
        let job: Params = serde_json::from_value(Value::of(&params()).to_job()).unwrap();
        assert_eq!(job.data.name(), "data");
        assert_eq!(job.loras["a"].name(), "loras.a");
        assert_eq!(job.shapes[1], Shape::New(0.0));
        assert_eq!(job.src.path(), "src");
    }

    proptest! {
        #[test]
        fn floats_survive_a_job_bit_by_bit(x in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let json = serde_json::to_string(&Value::of(&x).to_key()).unwrap();
            prop_assert_eq!(serde_json::from_str::<f64>(&json).unwrap().to_bits(), x.to_bits());
        }

        #[test]
        fn map_order_as_written_does_not_matter(entries in proptest::collection::btree_map("[a-z]{1,4}", 0i64..9, 0..6)) {
            let forward: serde_json::Map<_, _> = entries.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
            let backward: serde_json::Map<_, _> = entries.iter().rev().map(|(k, v)| (k.clone(), json!(v))).collect();
            prop_assert_eq!(Value::of(&forward), Value::of(&backward));
        }
    }
}
