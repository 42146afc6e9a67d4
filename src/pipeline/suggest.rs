//! Did you mean …?

use std::borrow::Borrow;

/// The candidate that is most like `word`, if one is like it.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    let near = candidates.into_iter().filter(|candidate| candidate.len().abs_diff(word.len()) <= 2 * limit);
    let scored = near.map(|candidate| (distance(word, candidate), candidate));
    // A word of one letter is at distance 1 from every other one.
    scored.filter(|(distance, _)| *distance <= limit && *distance < length).min().map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    if a.eq_ignore_ascii_case(b) { 0 } else { strsim::damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase()) }
}

/// The best advice about an unknown name: the closest one, or else all of them if they are few.
pub(crate) fn instead<S: Borrow<str>>(word: &str, candidates: &[S], plural: &str) -> String {
    let names = || candidates.iter().map(Borrow::borrow);
    if let Some(close) = closest(word, names()) {
        return format!("did you mean `{close}`?");
    }
    match candidates.len() {
        0 => format!("there are no {plural}"),
        n if n > 24 => format!("there are {n} {plural}"),
        _ => format!("the {plural} are {}", quoted(names())),
    }
}

/// Names in a row, each in backquotes.
pub(crate) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
