//! Names and texts with `{axis}` in them.

use crate::pipeline::suggest::instead;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Text without axes.
    Plain(&'t str),
    /// `{name}`.
    Hole(&'t str),
    /// `{{name}}`, which stands for `{name}`.
    Escaped(&'t str),
}

/// Whether an axis may have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// The names in braces.
pub(super) fn holes(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Hole(name) => Some(name),
        _ => None,
    })
}

/// The text with its value in the hole of each axis that has one; of two braces around an axis one is taken away.
pub(super) fn fill<'v>(text: &str, is_axis: impl Fn(&str) -> bool, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let fill = |piece| match piece {
        Piece::Plain(text) => text.to_owned(),
        Piece::Hole(name) => value(name).map_or_else(|| format!("{{{name}}}"), str::to_owned),
        Piece::Escaped(name) if is_axis(name) => format!("{{{name}}}"),
        Piece::Escaped(name) => format!("{{{{{name}}}}}"),
    };
    pieces(text).into_iter().map(fill).collect()
}

/// What to say of a name in braces that is no axis.
pub(in crate::pipeline) fn unknown_axis(text: &str, axes: &[String]) -> Option<String> {
    let unknown = holes(text).find(|name| !axes.iter().any(|axis| axis == name))?;
    Some(match axes {
        [] => format!("`{{{unknown}}}` wants an axis: declare it in the pipeline: `matrix: {{\"{unknown}\": […]}}`"),
        axes => format!("`{{{unknown}}}` is no axis of `matrix`: {}", instead(unknown, axes, "axes")),
    })
}

/// A text in pieces.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let (piece, length) = match hole(&text[open..]) {
            Some(found) => found,
            None => {
                at = open + 1;
                continue;
            }
        };
        pieces.push(Piece::Plain(&text[plain..open]));
        pieces.push(piece);
        at = open + length;
        plain = at;
    }
    pieces.push(Piece::Plain(&text[plain..]));
    pieces
}

/// The hole at the start of a text, with its length.
fn hole(text: &str) -> Option<(Piece<'_>, usize)> {
    let named = |open: &str, close: &str| {
        let rest = text.strip_prefix(open)?;
        let name = &rest[..rest.find(close)?];
        is_name(name).then_some((name, open.len() + name.len() + close.len()))
    };
    let escaped = named("{{", "}}").map(|(name, length)| (Piece::Escaped(name), length));
    escaped.or_else(|| named("{", "}").map(|(name, length)| (Piece::Hole(name), length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_and_others_left() {
        let filled = |text: &str| fill(text, |name| name == "seed", |name| (name == "seed").then_some("7"));
        assert_eq!(filled("a {seed}@{seed}{b} {{seed}} {{b}} ${x} {"), "a 7@7{b} {seed} {{b}} ${x} {");
        assert_eq!(filled("{a b} {} {{seed}"), "{a b} {} {7");
        assert_eq!(holes("{a}{{b}}{c-1} { d }").collect::<Vec<_>>(), ["a", "c-1"]);
    }
}
