//! Captions as people's files have them.

use std::borrow::Cow;

use serde_json::Value;

/// What Windows' editors put before a text.
const MARK: &str = "\u{feff}";

/// A text file in UTF-8, with or without a byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("it is not UTF-8: {e}; save it as UTF-8"))?;
    Ok(text.strip_prefix(MARK).unwrap_or(text))
}

/// A JSON value. Python writes NaN where there is nothing, which JSON has not: it is null.
pub(crate) fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&without_nan(text))
}

/// The caption that a field holds; none if it is not there or null.
pub(crate) fn caption(field: Option<&Value>) -> Result<Option<String>, String> {
    match field {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(list)) => Err(format!(
            "its caption is a list of {}, of which none is chosen here: write the one that is meant",
            list.len()
        )),
        Some(other) => Err(format!("its caption is {other}, which is no text: put it in quotes")),
    }
}

/// With null for every NaN and Infinity that is in no string.
fn without_nan(text: &str) -> Cow<'_, str> {
    const NONE: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if !NONE.iter().any(|none| text.contains(none)) {
        return text.into();
    }
    let (mut out, mut rest, mut in_string) = (String::with_capacity(text.len()), text, false);
    while let Some(first) = rest.chars().next() {
        let none = NONE.iter().find(|none| !in_string && rest.starts_with(**none));
        let length = match (none, first) {
            (Some(none), _) => none.len(),
            (None, '\\') if in_string => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, first) => first.len_utf8(),
        };
        in_string ^= first == '"';
        out.push_str(if none.is_some() { "null" } else { &rest[..length] });
        rest = &rest[length..];
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_writes_for_nothing_is_null() {
        let read = |text: &str| json(text).unwrap();
        assert_eq!(read(r#"{"a": NaN, "b": [Infinity, -Infinity]}"#), json!({"a": null, "b": [null, null]}));
        assert_eq!(read(r#"{"NaN": "is NaN \" NaN", "c": NaN}"#), json!({"NaN": "is NaN \" NaN", "c": null}));
        assert!(json(r#"{"a": Nan}"#).is_err());
        assert!(json("\"NaN\\").is_err());
    }

    #[test]
    fn captions_are_texts() {
        assert_eq!(caption(Some(&json!("fox"))), Ok(Some("fox".into())));
        assert_eq!((caption(None), caption(Some(&json!(null)))), (Ok(None), Ok(None)));
        let list = "its caption is a list of 2, of which none is chosen here: write the one that is meant";
        assert_eq!(caption(Some(&json!(["a", "b"]))), Err(list.into()));
        assert_eq!(caption(Some(&json!(7))), Err("its caption is 7, which is no text: put it in quotes".into()));
        assert_eq!((text(b"\xef\xbb\xbffox"), text(b"fox")), (Ok("fox"), Ok("fox")));
        assert!(text(b"\xff\xfef\0").unwrap_err().ends_with("save it as UTF-8"));
    }
}
