//! Files of a model hub, as a parameter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::text;

/// Files of a repository of a model hub, at one commit.
///
/// The hub is Hugging Face's, or that of `HF_ENDPOINT`; `HF_TOKEN` is the token for what is private or gated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// The repository, `owner/name`; a dataset's begins with `datasets/`.
    pub repo: Repo,
    /// The commit, for a branch or tag means another one tomorrow.
    pub revision: Commit,
    /// The files, in which `*` stands for any characters; what the node needs when there are none.
    #[serde(default)]
    pub files: Vec<String>,
}

text!(
    /// The name of a repository.
    Repo,
    "the name of a repository, `owner/name`",
    |text| {
        let parts: Vec<&str> = text.strip_prefix("datasets/").unwrap_or(text).split('/').collect();
        parts.len() <= 2 && parts.iter().all(|part| is_name(part))
    }
);

/// As hubs allow it.
fn is_name(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(plain) && !part.starts_with(['.', '-']) && !part.contains("..")
}

text!(
    /// A commit of a repository. Of another revision a hub knows which commit it means, which `x-commit` tells the engine.
    Commit,
    "a commit, 40 digits 0–9 and a–f",
    |text| text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
    "x-commit"
);

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn hub(repo: &str, revision: &str) -> Result<Hub, String> {
        ron::from_str(&format!("(repo: {repo:?}, revision: {revision:?})")).map_err(|error| error.code.to_string())
    }

    #[test]
    fn a_repository_at_a_commit() {
        for repo in ["org/name", "name", "datasets/org/name-1.5_x"] {
            let hub = hub(repo, COMMIT).unwrap();
            assert_eq!((hub.repo.as_str(), hub.revision.as_str(), hub.files.len()), (repo, COMMIT, 0));
        }
    }

    #[test]
    fn branches_and_short_or_large_digits_are_no_commit() {
        for revision in ["main", "v1.0", "", &COMMIT[..39], &COMMIT.to_uppercase(), &COMMIT.replace('0', "g")] {
            let error = hub("org/name", revision).unwrap_err();
            assert!(error.starts_with("must be a commit") && error.contains(&format!("`{revision}`")), "{error}");
        }
    }

    #[test]
    fn what_is_no_repository() {
        for repo in ["", "a/b/c", "a//b", "https://hub/a/b", "a b", "../a", "datasets/", ".a/b"] {
            assert!(hub(repo, COMMIT).unwrap_err().starts_with("must be the name"), "{repo}");
        }
    }
}
