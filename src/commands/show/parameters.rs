//! Which parameters are what they are when nothing is said.

use hyper_flow_spec::Kind;
use serde_json::{Map, Value};

/// The parameters of a key, apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parameters {
    /// Names of those that are as they are when they are not given.
    pub(super) defaults: Vec<String>,
    /// Names of optional ones that are not given.
    pub(super) absent: Vec<String>,
}

/// Of the parameters in a preimage. What a kind of another version took is not told apart.
pub(super) fn apart(kind: &str, params: &Value) -> Parameters {
    let Some(fields) = pointing_by_text(params.clone()).as_object().cloned() else { return Parameters::default() };
    let Ok(whole) = Kind::from_json(kind, fields.clone().into()) else { return Parameters::default() };
    let is_default = |name: &&String| {
        let mut less: Map<String, Value> = fields.clone();
        less.remove(*name);
        let without = Kind::from_json(kind, less.into());
        without.is_ok_and(|without| without.value().to_key()[name.as_str()] == params[name.as_str()])
    };
    let job = whole.value().to_job();
    let absent =
        job.as_object().into_iter().flatten().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone());
    Parameters { defaults: fields.keys().filter(is_default).cloned().collect(), absent: absent.collect() }
}

/// References as the text that a kind reads them from.
fn pointing_by_text(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.len() == 1 => {
            let (name, inner) = fields.into_iter().next().expect("there is one");
            match name.as_str() {
                "$input" | "$file" => inner,
                _ => Value::Object(Map::from_iter([(name, pointing_by_text(inner))])),
            }
        }
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, pointing_by_text(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(pointing_by_text).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(ron: &str) -> Value {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        options.from_str::<Kind>(ron).unwrap().value().to_key()
    }

    #[test]
    fn what_was_given_is_told_from_defaults() {
        let params = params(r#"SegmentDistill((teacher: "t", data: "d", segments: 8, steps: 100, lr: 2e-3))"#);
        let Parameters { defaults, absent } = apart("SegmentDistill", &params);
        for (name, expected) in [("segments", false), ("steps", false), ("teacher", false), ("batch", true)] {
            assert_eq!(defaults.iter().any(|default| default == name), expected, "{name} {defaults:?}");
        }
        assert!(absent.contains(&"student".to_owned()), "{absent:?}");
        let mut given = params.clone();
        given["batch"] = json!(3);
        assert!(!apart("SegmentDistill", &given).defaults.contains(&"batch".to_owned()));
    }

    #[test]
    fn of_another_version_nothing_is_said() {
        assert_eq!(apart("SegmentDistill", &json!({"old": 1})), Parameters::default());
        assert_eq!(apart("Nothing", &json!({})), Parameters::default());
    }
}
