//! Names with axes in braces: which of them mean the same node.

use crate::pipeline::{Piece, pieces};

/// What the holes of a template are filled with, in their order, so that it becomes `text`: a value of the axis, or
/// the hole itself. `None` where it never does.
pub(super) fn fills(template: &str, text: &str, values: &dyn Fn(&str) -> Vec<String>) -> Option<Vec<String>> {
    matched(&pieces(template), text, values)
}

fn matched(template: &[Piece<'_>], text: &str, values: &dyn Fn(&str) -> Vec<String>) -> Option<Vec<String>> {
    let Some((piece, after)) = template.split_first() else {
        return text.is_empty().then(Vec::new);
    };
    let Piece::Hole(hole) = piece else {
        return matched(after, text.strip_prefix(written(piece).as_str())?, values);
    };
    values(hole).into_iter().chain([written(piece)]).find_map(|choice| {
        let mut fills = matched(after, text.strip_prefix(choice.as_str())?, values)?;
        fills.insert(0, choice);
        Some(fills)
    })
}

/// A template with what the holes of `like`, in their order, are filled with in its own.
pub(super) fn filled(template: &str, like: &str, fills: &[String]) -> String {
    let names = holes(like);
    let fill = |piece: &Piece<'_>| match piece {
        Piece::Hole(hole) => names.iter().position(|name| name == hole).and_then(|i| fills.get(i)).cloned(),
        _ => None,
    };
    pieces(template).iter().map(|piece| fill(piece).unwrap_or_else(|| written(piece))).collect()
}

/// The names in braces, in their order.
pub(super) fn holes(text: &str) -> Vec<&str> {
    let hole = |piece| match piece {
        Piece::Hole(name) => Some(name),
        _ => None,
    };
    pieces(text).into_iter().filter_map(hole).collect()
}

/// The name in braces around a byte of a text.
pub(super) fn hole_at(text: &str, byte: usize) -> Option<&str> {
    let mut end = 0;
    pieces(text).into_iter().find_map(|piece| {
        let start = end;
        end += written(&piece).len();
        match piece {
            Piece::Hole(name) if start < byte && byte < end => Some(name),
            _ => None,
        }
    })
}

fn written(piece: &Piece<'_>) -> String {
    match piece {
        Piece::Plain(text) => (*text).to_owned(),
        Piece::Hole(name) => format!("{{{name}}}"),
        Piece::Escaped(name) => format!("{{{{{name}}}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(axis: &str) -> Vec<String> {
        match axis {
            "arm" => vec!["tcd".to_owned(), "tcd-x".to_owned()],
            _ => vec!["1".to_owned(), "2".to_owned()],
        }
    }

    #[test]
    fn a_template_means_each_of_its_values() {
        let fills = |text| fills("{arm}@{seed}", text, &values);
        assert_eq!(fills("tcd-x@{seed}"), Some(vec!["tcd-x".to_owned(), "{seed}".to_owned()]));
        assert_eq!(fills("{arm}@{seed}"), Some(vec!["{arm}".to_owned(), "{seed}".to_owned()]));
        assert_eq!((fills("tcd@3"), fills("tcd@1x")), (None, None));
        assert_eq!(super::fills("plain", "plain", &values), Some(vec![]));
        assert_eq!(filled("s{seed}-{arm}", "{arm}@{seed}", &fills("tcd@2").unwrap()), "s2-tcd");
    }

    #[test]
    fn a_hole_is_found_at_its_bytes() {
        assert_eq!((hole_at("a{bc}d", 3), hole_at("a{bc}d", 1), hole_at("a{bc}d", 6)), (Some("bc"), None, None));
    }
}
