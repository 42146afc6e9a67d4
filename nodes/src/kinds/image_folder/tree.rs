//! What lies in a folder of pictures.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::artifacts::dataset::{Account, Reason, is_own};
use crate::picture::EXTENSIONS;
use crate::{NodeError, files};

const TEXT: &str = "txt";

/// The files of a folder and of those below it, by their paths in it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) pictures: BTreeSet<PathBuf>,
    pub(super) texts: BTreeSet<PathBuf>,
    pub(super) metadata: BTreeSet<PathBuf>,
}

impl Tree {
    /// Looks at every name. What is none of these is left out.
    pub(super) fn of(root: &Path, metadata: &[&str], account: &mut Account) -> Result<Self, NodeError> {
        let (mut tree, mut open) = (Self { root: root.to_owned(), ..Self::default() }, vec![PathBuf::new()]);
        let mut others = BTreeSet::new();
        while let Some(inside) = open.pop() {
            let folder = if inside.as_os_str().is_empty() { root } else { &root.join(&inside) };
            for path in files::list(folder)? {
                let name = inside.join(path.file_name().unwrap_or_default());
                match path.is_dir() {
                    true => open.push(name),
                    false => {
                        let place = match ending(&name).as_str() {
                            _ if is_own(&shown(&name)) => &mut others,
                            ending if EXTENSIONS.contains(&ending) => &mut tree.pictures,
                            TEXT => &mut tree.texts,
                            _ if name
                                .file_name()
                                .is_some_and(|name| metadata.iter().any(|m| name == OsStr::new(m))) =>
                            {
                                &mut tree.metadata
                            }
                            _ => &mut others,
                        };
                        place.insert(name);
                    }
                }
            }
        }
        for name in others {
            let own = is_own(&shown(&name));
            account.leave_out(if own { Reason::Own } else { Reason::Ending(ending(&name)) }, shown(&name));
        }
        Ok(tree)
    }
}

/// What a name ends in, in lower case.
fn ending(name: &Path) -> String {
    name.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// A path in the folder, with slashes.
pub(super) fn shown(name: &Path) -> String {
    name.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
}
