//! The parameters of a node, for TensorBoard's table of them.

use std::collections::BTreeMap;

use hyper_flow_spec::{Leaf, Value as Parameter};
use prost::Message;

use super::file::now;
use super::proto::{Hparam, HparamsData, Metadata, Plain, PluginData, SessionStartInfo, Value};

/// The tag under which the plugin looks for the parameters of a curve.
const TAG: &str = "_hparams_/session_start_info";
const PLUGIN: &str = "hparams";

/// What a node is made of, by the path of each parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Hparams(BTreeMap<String, Plain>);

impl Hparams {
    /// A kind, all its parameters, and its seed.
    pub(super) fn of(kind: &str, parameters: &Parameter, seed: u64) -> Hparams {
        let mut all = BTreeMap::new();
        flatten(String::new(), parameters, &mut all);
        all.insert("kind".to_owned(), Plain::Text(kind.to_owned()));
        all.insert("seed".to_owned(), Plain::Number(seed as f64));
        Hparams(all)
    }

    /// As a value.
    pub(super) fn value(&self) -> Value {
        let hparams = self.0.iter().map(|(name, is)| (name.clone(), Hparam { is: Some(is.clone()) })).collect();
        let session_start_info = Some(SessionStartInfo { hparams, start_time_secs: now() });
        let content = HparamsData { session_start_info }.encode_to_vec();
        let plugin_data = Some(PluginData { plugin_name: PLUGIN.to_owned(), content });
        Value { tag: TAG.to_owned(), metadata: Some(Metadata { plugin_data }), is: None }
    }
}

fn flatten(path: String, parameter: &Parameter, all: &mut BTreeMap<String, Plain>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let plain = match parameter {
        Parameter::Null => return,
        Parameter::Bool(truth) => Plain::Bool(*truth),
        Parameter::Int(number) => Plain::Number(*number as f64),
        Parameter::Float(number) => Plain::Number(*number),
        Parameter::Threshold(value) => return flatten(path, value, all),
        Parameter::Str(text) | Parameter::Leaf(Leaf::File(text)) => Plain::Text(text.clone()),
        Parameter::Leaf(Leaf::Node { name, .. }) => Plain::Text(name.clone()),
        Parameter::Variant(name, holds) => {
            flatten(path.clone(), holds, all);
            Plain::Text(name.clone())
        }
        Parameter::Seq(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(below(&index.to_string()), item, all);
            }
            return;
        }
        Parameter::Map(entries) => {
            for (name, entry) in entries {
                flatten(below(name), entry, all);
            }
            return;
        }
    };
    all.insert(path, plain);
}

#[cfg(test)]
mod tests {
    use hyper_flow_spec::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_told_by_their_paths_and_inputs_by_name() {
        let adversarial = json!({"discriminator": "Heads", "weight": 0.5});
        let params = json!({"teacher": "sdxl", "data": "cats", "segments": 8, "steps": 5, "adversarial": adversarial});
        let kind = Kind::from_json("SegmentDistill", params).unwrap();
        let Hparams(all) = Hparams::of(kind.name(), &kind.value(), 7);
        let text = |text: &str| Some(Plain::Text(text.to_owned()));
        let found = ["kind", "teacher", "seed", "steps", "adversarial.discriminator", "adversarial.weight", "student"];
        let expected = [
            text("SegmentDistill"),
            text("sdxl"),
            Some(Plain::Number(7.0)),
            Some(Plain::Number(5.0)),
            text("Heads"),
            Some(Plain::Number(0.5)),
            None,
        ];
        assert_eq!(found.map(|name| all.get(name).cloned()), expected, "{all:?}");
    }
}
