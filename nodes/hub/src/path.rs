//! Where a remote file goes: a server's names must not lead out of the directory that is filled.

use std::path::{Path, PathBuf};

use crate::HubError;

/// The place of a remote path below a folder.
pub(crate) fn place(folder: &Path, remote: &str) -> Result<PathBuf, HubError> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', ':']);
    match remote.split('/').all(plain) {
        true => Ok(remote.split('/').fold(folder.to_owned(), |place, part| place.join(part))),
        false => Err(HubError::Unsafe { path: remote.to_owned() }),
    }
}

/// As part of a URL. Slashes stay where `keep` has them.
pub(crate) fn escaped(text: &str, keep: &[u8]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        kept if keep.contains(&kept) => char::from(kept).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        let at = |remote: &str| place(Path::new("/to"), remote);
        assert_eq!(at("unet/a b.safetensors").unwrap(), Path::new("/to/unet/a b.safetensors"));
        for remote in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\..\\x", "c:/x", "a/"] {
            assert!(at(remote).is_err(), "{remote}");
        }
    }

    #[test]
    fn urls_are_escaped() {
        assert_eq!(escaped("refs/pr/1", b""), "refs%2Fpr%2F1");
        assert_eq!(escaped("a b/ü#?.txt", b"/"), "a%20b/%C3%BC%23%3F.txt");
    }
}
