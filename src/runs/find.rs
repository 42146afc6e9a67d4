//! Which run a word means.

use hyper_flow_cache::Store;
use miette::Diagnostic;

use super::directory::{Run, newest_first};
use super::origin::Origin;

/// So many runs are named where a word fits several.
const NAMED: usize = 5;
/// The shortest piece of an id: its random end.
const LEAST: usize = 4;

/// A word that means no run, or several.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum NoSuchRun {
    /// There is none.
    #[error("there is no run `{word}`{}", of.as_deref().map(|of| format!(" of {of}")).unwrap_or_default())]
    #[diagnostic(help("{help}"))]
    Unknown {
        /// As given.
        word: String,
        /// The pipeline's file, if only its runs were looked at.
        of: Option<String>,
        /// What to do.
        help: String,
    },
    /// There are several.
    #[error("`{word}` may be each of {count} runs")]
    #[diagnostic(help("write more of one: {names}"))]
    Ambiguous {
        /// As given.
        word: String,
        /// How many.
        count: usize,
        /// The newest of them.
        names: String,
    },
}

/// The run that is meant by an id, its beginning or its end, or by `last`, `last~1` and so on; of this pipeline alone if one
/// is given.
pub fn find(store: &Store, of: Option<&Origin>, word: &str) -> Result<Run, NoSuchRun> {
    let mut runs = newest_first(store);
    if let Some(origin) = of {
        runs.retain(|run| run.origin().is_some_and(|other| other.is(origin)));
    }
    let found: Vec<Run> = match before_last(word) {
        Some(number) => runs.iter().skip(number).take(1).cloned().collect(),
        None => runs.iter().filter(|run| fits(&run.id(), word)).cloned().collect(),
    };
    match found.as_slice() {
        [run] => Ok(run.clone()),
        [] => Err(unknown(&runs, of, word)),
        _ => match found.iter().find(|run| run.id() == word) {
            Some(run) => Ok(run.clone()),
            None => Err(NoSuchRun::Ambiguous { word: word.to_owned(), count: found.len(), names: names(&found) }),
        },
    }
}

/// Whether a word means a run by how many came after it: which one that is, is told by the pipeline.
pub(crate) fn is_by_age(word: &str) -> bool {
    before_last(word).is_some()
}

/// `last` is 0, `last~2` is 2.
fn before_last(word: &str) -> Option<usize> {
    match word.strip_prefix("last")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// Whether it is a piece of an id, and long enough to be meant as one.
fn fits(id: &str, word: &str) -> bool {
    word.len() >= LEAST && (id.starts_with(word) || id.ends_with(word))
}

fn names(runs: &[Run]) -> String {
    let mut names: Vec<String> = runs.iter().take(NAMED).map(Run::id).collect();
    if runs.len() > NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}

fn unknown(runs: &[Run], of: Option<&Origin>, word: &str) -> NoSuchRun {
    let help = match runs.len() {
        0 => "none is kept yet".to_owned(),
        _ => format!("the newest: {}", names(runs)),
    };
    let of = of.map(|origin| origin.path().display().to_string());
    NoSuchRun::Unknown { word: word.to_owned(), of, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(word: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        for id in ["20261129-000000-000-00aa", "20261130-000000-000-00ab", "20261130-111111-000-00aa"] {
            std::fs::create_dir_all(store.runs().join(id)).unwrap();
        }
        find(&store, None, word).map_or_else(|error| error.to_string(), |run| run.id())
    }

    #[test]
    fn runs_are_found_by_a_piece_of_their_id_or_their_age() {
        assert_eq!(found("last"), "20261130-111111-000-00aa");
        assert_eq!(found("last~2"), "20261129-000000-000-00aa");
        assert_eq!(found("20261129"), "20261129-000000-000-00aa");
        assert_eq!(found("00ab"), "20261130-000000-000-00ab");
        assert_eq!(found("00aa"), "`00aa` may be each of 2 runs");
        for none in ["last~3", "lasting", "2025", ""] {
            assert_eq!(found(none), format!("there is no run `{none}`"));
        }
    }
}
