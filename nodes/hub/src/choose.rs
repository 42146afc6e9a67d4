//! Which of a repository's files are wanted.

use crate::{HubError, RemoteFile, Repo};

/// Names in a message.
const SHOWN: usize = 20;

/// The files that any of these patterns means, in the order of the listing. In a pattern `*` stands for any characters,
/// also `/`, as in `huggingface_hub`. A pattern that means no file is an error that says which there are.
pub fn choose(files: &[RemoteFile], patterns: &[String], repo: &Repo) -> Result<Vec<RemoteFile>, HubError> {
    if let Some(pattern) = patterns.iter().find(|pattern| !files.iter().any(|file| matches(pattern, &file.path))) {
        let there = there(files, pattern);
        return Err(HubError::NoFile { repo: repo.to_string(), pattern: pattern.clone(), there });
    }
    let wanted = |file: &&RemoteFile| patterns.iter().any(|pattern| matches(pattern, &file.path));
    Ok(files.iter().filter(wanted).cloned().collect())
}

/// Whether a path is what a pattern means.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut path) = path.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = rest.split('*').collect();
    let (last, middle) = pieces.split_last().expect("a split has a part");
    // Each piece as early as it can be leaves most for those behind it.
    for piece in middle {
        match path.find(piece) {
            Some(at) => path = &path[at + piece.len()..],
            None => return false,
        }
    }
    path.ends_with(last)
}

/// The names that are there, those most like the wanted one first.
fn there(files: &[RemoteFile], pattern: &str) -> String {
    let likeness = |file: &RemoteFile| strsim::normalized_damerau_levenshtein(pattern, &file.path);
    let mut files: Vec<&RemoteFile> = files.iter().collect();
    files.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let names: Vec<&str> = files.iter().take(SHOWN).map(|file| file.path.as_str()).collect();
    match files.len().saturating_sub(SHOWN) {
        0 if names.is_empty() => "nothing".to_owned(),
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Hash;

    fn listing(names: &[&str]) -> Vec<RemoteFile> {
        let hash = Hash::GitBlob("0".repeat(40));
        names.iter().map(|name| RemoteFile { path: (*name).to_owned(), size: 1, hash: hash.clone() }).collect()
    }

    fn chosen(files: &[&str], patterns: &[&str]) -> Result<Vec<String>, String> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let files = choose(&listing(files), &patterns, &"org/m".parse().unwrap()).map_err(|error| error.to_string())?;
        Ok(files.into_iter().map(|file| file.path).collect())
    }

    const THERE: [&str; 4] = ["a.json", "unet/config.json", "unet/m.safetensors", "vae/config.json"];

    #[test]
    fn exact_names_and_stars() {
        assert_eq!(chosen(&THERE, &["a.json"]).unwrap(), ["a.json"]);
        assert_eq!(chosen(&THERE, &["unet/*", "*.json"]).unwrap(), THERE);
        assert_eq!(chosen(&THERE, &["*/config*"]).unwrap(), ["unet/config.json", "vae/config.json"]);
        assert_eq!(chosen(&THERE, &["*"]).unwrap(), THERE);
    }

    #[test]
    fn a_pattern_without_a_file_says_what_is_there() {
        let error = chosen(&THERE, &["a.json", "unet/m.safetensor"]).unwrap_err();
        assert!(error.contains("`unet/m.safetensor`") && error.contains("org/m"), "{error}");
        assert!(error.contains(": unet/m.safetensors, "), "the most alike comes first: {error}");
        assert!(chosen(&[], &["*"]).unwrap_err().contains("nothing"));
    }

    proptest! {
        #[test]
        fn a_star_is_any_text(parts in proptest::collection::vec("[ab/]{0,3}", 1..5), fill in "[ab/]{0,4}") {
            prop_assert!(matches(&parts.join("*"), &parts.join(&fill)));
        }

        /// Against the definition, by trying every length for each star.
        #[test]
        fn no_match_is_missed_or_made_up(pattern in "[ab*]{0,6}", path in "[ab]{0,6}") {
            fn slowly(pattern: &str, path: &str) -> bool {
                match pattern.strip_prefix('*') {
                    Some(rest) => (0..=path.len()).any(|at| slowly(rest, &path[at..])),
                    None if pattern.is_empty() => path.is_empty(),
                    None => path.starts_with(&pattern[..1]) && slowly(&pattern[1..], &path[1..]),
                }
            }
            prop_assert_eq!(matches(&pattern, &path), slowly(&pattern, &path));
        }
    }
}
