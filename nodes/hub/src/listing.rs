//! What a repository holds at a commit.

use serde::Deserialize;

use crate::Hash;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path, with slashes.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// What it must be.
    pub hash: Hash,
}

/// An entry as the API tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

/// Of a large file: `oid` is then that of its pointer in git.
#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Entry {
    /// The file; nothing for a folder. What is wrong with it otherwise.
    pub(crate) fn file(self) -> Result<Option<RemoteFile>, String> {
        if self.kind != "file" {
            return Ok(None);
        }
        let (size, hash) = match &self.lfs {
            Some(lfs) => (lfs.size, Hash::sha256(lfs.oid.trim_start_matches("sha256:"))),
            None => (self.size, Hash::git_blob(&self.oid)),
        };
        let hash = hash.ok_or_else(|| format!("`{}` has no hash", self.path))?;
        Ok(Some(RemoteFile { path: self.path, size, hash }))
    }
}

/// What the API tells of a revision.
#[derive(Debug, Deserialize)]
pub(crate) struct Revision {
    pub(crate) sha: String,
}

/// The query of the next page, in a `Link` header. Only the query: its address may be that of the hub behind a mirror, to
/// which no token must go.
pub(crate) fn next_page(link: &str) -> Option<String> {
    let next =
        link.split(',').find(|part| part.split(';').skip(1).any(|rel| rel.trim().replace('"', "") == "rel=next"))?;
    let address = next.trim().strip_prefix('<')?.split_once('>')?.0;
    Some(address.split_once('?')?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_a_query() {
        let link = r#"<https://hub/api/models/a/b/tree/c?recursive=true&cursor=ZXk%3D>; rel="next""#;
        assert_eq!(next_page(link).as_deref(), Some("recursive=true&cursor=ZXk%3D"));
        let two = format!(r#"<https://hub/?cursor=0>; rel="prev", {link}"#);
        assert_eq!(next_page(&two).as_deref(), Some("recursive=true&cursor=ZXk%3D"));
        assert_eq!(next_page(r#"<https://hub/?cursor=0>; rel="prev""#), None);
        assert_eq!(next_page("nonsense"), None);
    }
}
