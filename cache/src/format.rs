//! What a store's `version` file says: the format, and who may use the store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::Result;
use crate::files;

/// The format that this program knows.
pub(crate) const FORMAT: &str = "hyper-flow store 1";
const SHARED: &str = "hyper-flow store 1, shared by its group";

/// Setgid and write permission for the group, on the store's directory.
const OPEN_TO_GROUP: u32 = 0o2020;

/// Who may use a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever the umask of its user lets: others read at most.
    Private,
    /// All members of its group, alike.
    Group,
}

impl Access {
    /// The content of the `version` file.
    pub(crate) fn version(self) -> String {
        let text = match self {
            Access::Private => FORMAT,
            Access::Group => SHARED,
        };
        format!("{text}\n")
    }

    /// As the directory's own mode has it, where the `version` file does not tell.
    pub(crate) fn of_directory(root: &Path) -> Access {
        let mode = fs::metadata(root).map_or(0, |meta| meta.permissions().mode());
        if mode & OPEN_TO_GROUP == OPEN_TO_GROUP { Access::Group } else { Access::Private }
    }
}

/// What the `version` file of a directory says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// There is none.
    Absent,
    Known(Access),
    /// Another format.
    Other(String),
    /// What is there instead, in words.
    Damaged(&'static str),
}

impl Version {
    pub(crate) fn read(root: &Path) -> Result<Version> {
        let path = root.join("version");
        match files::stat(&path)? {
            None => Ok(Version::Absent),
            Some(meta) if meta.is_dir() => Ok(Version::Damaged("a directory")),
            Some(_) => Ok(match files::read_plain(&path)? {
                Some(bytes) => Version::parse(&String::from_utf8_lossy(&bytes)),
                None => Version::Damaged("no plain file"),
            }),
        }
    }

    fn parse(text: &str) -> Version {
        let text = text.trim();
        let number = text.strip_prefix("hyper-flow store ").unwrap_or_default();
        let number = &number[..number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len())];
        match text {
            FORMAT => Version::Known(Access::Private),
            SHARED => Version::Known(Access::Group),
            "" => Version::Damaged("empty"),
            _ if !matches!(number, "" | "1") => Version::Other(text.to_owned()),
            _ => Version::Damaged("damaged"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for access in [Access::Private, Access::Group] {
            assert_eq!(Version::parse(&access.version()), Version::Known(access));
        }
        assert_eq!(Version::parse("hyper-flow store 1"), Version::Known(Access::Private), "as it always was");
    }

    #[test]
    fn another_format_is_told_from_a_damaged_one() {
        let other = |text: &str| Version::Other(text.to_owned());
        assert_eq!(Version::parse("hyper-flow store 2, of stone\n"), other("hyper-flow store 2, of stone"));
        for text in
            ["", " \n", "hyper-flow store ", "hyper-flow store 1, sha", "hyper-fl", "\0\0\0", "hyper-flow store x"]
        {
            assert!(matches!(Version::parse(text), Version::Damaged(_)), "{text:?}");
        }
    }
}
