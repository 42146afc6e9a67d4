//! The name of a repository.

use std::fmt;
use std::str::FromStr;

use crate::HubError;

/// A repository of a hub: `org/model`, `model` (the oldest ones have no owner), or `datasets/org/data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    dataset: bool,
    id: String,
}

impl Repo {
    /// Where the API tells of it: `api/models/org/model`.
    pub(crate) fn api(&self) -> String {
        format!("api/{}/{}", if self.dataset { "datasets" } else { "models" }, self.id)
    }

    /// Where its pages and files are: `org/model`, `datasets/org/data`.
    pub(crate) fn page(&self) -> String {
        if self.dataset { format!("datasets/{}", self.id) } else { self.id.clone() }
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page())
    }
}

impl FromStr for Repo {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let (dataset, id) = text.strip_prefix("datasets/").map_or((false, text), |id| (true, id));
        let parts: Vec<&str> = id.split('/').collect();
        match parts.len() <= 2 && parts.iter().all(|part| is_name(part)) {
            true => Ok(Self { dataset, id: id.to_owned() }),
            false => Err(HubError::Repo { text: text.to_owned() }),
        }
    }
}

/// What hubs allow in names, so that none needs an escape in a URL.
fn is_name(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(plain) && !part.starts_with(['.', '-']) && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_and_datasets() {
        let page = |text: &str| text.parse::<Repo>().map(|repo| (repo.api(), repo.page()));
        let owned = |api: &str, page: &str| (api.to_owned(), page.to_owned());
        assert_eq!(page("org/a-b_1.5").unwrap(), owned("api/models/org/a-b_1.5", "org/a-b_1.5"));
        assert_eq!(page("gpt2").unwrap(), owned("api/models/gpt2", "gpt2"));
        assert_eq!(page("datasets/org/d").unwrap(), owned("api/datasets/org/d", "datasets/org/d"));
    }

    #[test]
    fn what_is_no_name() {
        for text in ["", "a/", "/a", "a/b/c", "a b/c", "../a", "a/..", "https://x/y", "a/b?c", "datasets/", "a/.b"] {
            assert!(text.parse::<Repo>().is_err(), "{text}");
        }
    }
}
