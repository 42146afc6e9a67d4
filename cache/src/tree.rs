//! Manifests: what files an artifact has.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const TREE_CONTEXT: &str = "hyper-flow 2026 artifact tree";

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Of its content.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Whether its owner may execute it; no other mode bit is kept.
    pub exec: bool,
    /// Relative, with `/` between names.
    pub path: String,
}

/// A directory of an artifact that nothing is in. (Of all others the files tell.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyDirectory {
    /// Relative, with `/` between names.
    directory: String,
}

/// The files of an artifact and its empty directories, each sorted by path. One without empty directories has the
/// digest that it had when these were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<Entry>,
    empty: Vec<EmptyDirectory>,
}

impl Tree {
    /// Of these files, in any order.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Tree {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { entries, empty: Vec::new() }
    }

    /// With these empty directories too.
    pub(crate) fn with_empty(mut self, directories: Vec<String>) -> Tree {
        self.empty.extend(directories.into_iter().map(|directory| EmptyDirectory { directory }));
        self.empty.sort();
        self
    }

    /// The directories that nothing is in, sorted by path.
    pub fn empty_directories(&self) -> impl Iterator<Item = &str> {
        self.empty.iter().map(|empty| empty.directory.as_str())
    }

    /// The files, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file of that path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|e| e.path.as_str().cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// The sum of the sizes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.size).sum()
    }

    /// The artifact's digest: blake3 of the manifest under a context of its own, so that no file has
    /// the digest of a directory.
    pub fn digest(&self) -> Digest {
        digest_of(&self.encode())
    }

    /// The manifest: one JSON entry a line, files first.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.entries.iter().for_each(|entry| write_line(&mut bytes, entry));
        self.empty.iter().for_each(|empty| write_line(&mut bytes, empty));
        bytes
    }

    /// Reads the manifest of `artifact`; `None` if these bytes are not it.
    pub(crate) fn decode(artifact: &Digest, bytes: &[u8]) -> Option<Tree> {
        if digest_of(bytes) != *artifact {
            return None;
        }
        let mut tree = Tree::default();
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            match serde_json::from_slice(line) {
                Ok(entry) => tree.entries.push(entry),
                Err(_) => tree.empty.push(serde_json::from_slice(line).ok()?),
            }
        }
        let inside = tree.entries.iter().all(|entry| is_inside(&entry.path)) && tree.empty_directories().all(is_inside);
        inside.then_some(tree)
    }
}

fn write_line(bytes: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *bytes, line).expect("an entry has only plain fields");
    bytes.push(b'\n');
}

fn digest_of(manifest: &[u8]) -> Digest {
    Digest::from_bytes(blake3::derive_key(TREE_CONTEXT, manifest))
}

/// Whether a path stays below the directory it is joined to.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &str, exec: bool, content: &str) -> Entry {
        let (digest, size) = (Digest::of(content.as_bytes()), content.len() as u64);
        Entry { digest, size, exec, path: path.to_owned() }
    }

    /// A change here makes every artifact in every store another one.
    #[test]
    fn the_encoding_is_pinned() {
        let tree = Tree::new(vec![entry("sub/b", true, "beta"), entry("a \"é\"\n", false, "")]);
        let manifest = concat!(
            r#"{"digest":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","#,
            r#""size":0,"exec":false,"path":"a \"é\"\n"}"#,
            "\n",
            r#"{"digest":"BETA","#,
            r#""size":4,"exec":true,"path":"sub/b"}"#,
            "\n",
        );
        let manifest = manifest.replace("BETA", &Digest::of(b"beta").to_string());
        assert_eq!(String::from_utf8(tree.encode()).unwrap(), manifest);
        assert_eq!(tree.digest().to_string(), "969dfbbae731a5923c7f607667d83e840d3bccc3c1644d8e6bfceb4562a24693");
        assert_eq!(
            Tree::default().digest().to_string(),
            "1c211f3617bf7f17fff76ac6fcc2ae3a7dd3867082b02263db0cf5dbbbab7f14"
        );
    }

    #[test]
    fn an_empty_directory_is_a_line_of_its_own() {
        let files = Tree::new(vec![entry("a", false, "x")]);
        assert_eq!(files.clone().with_empty(Vec::new()).encode(), files.encode());
        let tree = files.clone().with_empty(vec!["z".to_owned(), "b/c".to_owned()]);
        let added = "{\"directory\":\"b/c\"}\n{\"directory\":\"z\"}\n";
        assert_eq!(String::from_utf8(tree.encode()).unwrap(), String::from_utf8(files.encode()).unwrap() + added);
        assert_eq!(Tree::decode(&tree.digest(), &tree.encode()), Some(tree));
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["../a", "/a", "a//b", "", "a/../../b", ".", "a/", "a\0b"] {
            let file = Tree::new(vec![entry(path, false, "x")]);
            let empty = Tree::default().with_empty(vec![path.to_owned()]);
            for tree in [file, empty] {
                assert_eq!(Tree::decode(&tree.digest(), &tree.encode()), None, "{path:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            files in prop::collection::btree_map("[a-z\"\\\\\n é]{1,4}(/[a-z]{1,3}){0,2}", (any::<bool>(), ".{0,5}"), 0..6),
        ) {
            let mut entries: Vec<_> = files.iter().map(|(p, (x, c))| entry(p, *x, c)).collect();
            let tree = Tree::new(entries.clone());
            prop_assert_eq!(Tree::decode(&tree.digest(), &tree.encode()), Some(tree.clone()));
            entries.reverse();
            prop_assert_eq!(Tree::new(entries).digest(), tree.digest());
            for path in files.keys() {
                prop_assert_eq!(&tree.get(path).unwrap().path, path);
            }
        }
    }
}
