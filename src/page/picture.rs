//! Pictures by their names in the [`model`](super::model), from the store and the runs: nothing else can be named.

use std::path::Path;

use hyper_flow_cache::{Digest, Store};

/// A picture as it lies on the disk.
pub(super) struct Picture {
    pub(super) bytes: Vec<u8>,
    /// Its media type.
    pub(super) media: &'static str,
}

/// Larger files are not read for a page.
const LARGEST: u64 = 256 << 20;

/// The picture of this name; `None` if there is none that may be shown.
pub(super) fn find(store: &Store, name: &str) -> Option<Picture> {
    let media = media(name)?;
    let bytes = match name.split_once('/')? {
        ("a", file) => of_artifact(store, file),
        ("r", file) => of_run(store, file),
        _ => None,
    };
    Some(Picture { bytes: bytes?, media })
}

/// What browsers draw and nothing else: no SVG, which may hold programs.
fn media(name: &str) -> Option<&'static str> {
    let end = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    match end.as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "gif" => Some("image/gif"),
        "webp" => Some("image/webp"),
        _ => None,
    }
}

/// Read through the manifest, whose paths stay in the artifact.
fn of_artifact(store: &Store, name: &str) -> Option<Vec<u8>> {
    let (artifact, path) = name.split_once('/')?;
    let artifact: Digest = artifact.parse().ok()?;
    let entry = store.tree(&artifact).ok()?.get(path)?.clone();
    if entry.size > LARGEST { None } else { store.read(&artifact, path).ok() }
}

/// `run/node/file`, each one plain name.
fn of_run(store: &Store, name: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = name.split('/').collect();
    let [run, node, file] = parts[..] else { return None };
    if ![run, node, file].into_iter().all(is_plain) {
        return None;
    }
    let path = store.runs().join(run).join("nodes").join(node).join("samples").join(file);
    let found = std::fs::symlink_metadata(&path).ok()?;
    (found.is_file() && found.len() <= LARGEST).then(|| std::fs::read(&path).ok())?
}

/// Whether a text is the name of something in a folder, and leads nowhere else.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_pictures_of_runs_is_had_by_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let samples = store.runs().join("run-1/nodes/teacher/samples");
        std::fs::create_dir_all(&samples).unwrap();
        for file in ["samples/step-1.png", "samples/step-1.txt", "secret.png"] {
            std::fs::write(samples.parent().unwrap().join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", samples.join("link.png")).unwrap();
        let had = |name: &str| find(&store, name).map(|picture| picture.media);
        assert_eq!(had("r/run-1/teacher/step-1.png"), Some("image/png"));
        let others = [
            "r/run-1/teacher/step-1.txt",
            "r/run-1/teacher/../secret.png",
            "r/run-1/teacher/..%2fsecret.png",
            "r/../runs/teacher/step-1.png",
            "r/run-1/teacher/link.png",
            "r/run-1/teacher//step-1.png",
            "r//etc/hostname.png",
            "a/0000/x.png",
            "a/../version.png",
            "version",
            "",
        ];
        assert_eq!(others.map(had), [None; 11]);
    }
}
