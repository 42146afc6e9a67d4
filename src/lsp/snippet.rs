//! What is written for a type before its values are known, with `$1`, `$2`, … for them.

use crate::pipeline::Type;

/// `Name(…)` with the fields that must be given.
pub(super) fn filled(name: &str, holds: Type, next: &mut u32) -> String {
    match holds.fields().is_empty() {
        true => format!("{name}({})", value(holds, next)),
        false => format!("{name}{}", value(holds, next)),
    }
}

/// A value of a type.
pub(super) fn value(ty: Type, next: &mut u32) -> String {
    let required: Vec<_> = ty.fields().into_iter().filter(|field| field.required).collect();
    if !ty.fields().is_empty() {
        let fields = required.into_iter().map(|field| format!("{}: {}", field.name, value(field.ty, next)));
        let fields = fields.collect::<Vec<_>>().join(", ");
        return if fields.is_empty() { format!("({})", stop(next)) } else { format!("({fields})") };
    }
    match ty {
        _ if ty.artifacts().is_some() || ty.is_file() || ty.is_text() => format!("\"{}\"", stop(next)),
        _ if ty.is_list() => format!("[{}]", stop(next)),
        _ if ty.is_map() => format!("{{{}\\}}", stop(next)),
        _ => stop(next),
    }
}

/// Text that a snippet leaves as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}

/// The snippet for an editor that knows none.
pub(super) fn plain(snippet: &str) -> String {
    let mut out = String::new();
    let mut chars = snippet.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '$' => while chars.next_if(char::is_ascii_digit).is_some() {},
            c => out.push(c),
        }
    }
    out
}

fn stop(next: &mut u32) -> String {
    *next += 1;
    format!("${}", *next - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_comes_with_what_it_must_have() {
        let ty = Type::of_kind("LoraExtract").unwrap();
        let snippet = filled("LoraExtract", ty, &mut 1);
        assert_eq!(snippet, "LoraExtract(tuned: \"$1\", base: \"$2\", rank: $3)");
        assert_eq!(plain(&snippet), "LoraExtract(tuned: \"\", base: \"\", rank: )");
        assert_eq!(plain(&escaped("\"{seed}\\$x\"")), "\"{seed}\\$x\"");
    }
}
