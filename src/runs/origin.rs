//! Which file a pipeline is.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use hyper_flow_cache::Store;
use serde::{Deserialize, Serialize};

/// The file of a pipeline, by all that it may be found again by: a moved project folder by the path from the
/// store in it, a renamed file by its inode, one that an editor has replaced by its path. A copy has none of
/// these in common with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Absolute.
    #[serde(rename = "pipeline")]
    path: PathBuf,
    /// From the root of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_store: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<Inode>,
}

/// What the system has for a name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Inode {
    device: u64,
    number: u64,
    /// In nanoseconds since 1970, where the file system knows: a number is given to a new file when the old one is gone.
    born: Option<u64>,
}

/// Where the file of a pipeline is now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    File {
        device: u64,
        number: u64,
    },
    /// One may not look there, so that it may be.
    Hidden(PathBuf),
}

impl Origin {
    /// Of a pipeline's file, as this store sees it.
    pub fn of(file: &Path, store: &Store) -> Origin {
        let path = plain(file);
        let from_store = relative(&path, store.root()).filter(|path| path.to_str().is_some());
        let inode = fs::metadata(&path).ok().map(|found| Inode::of(&found));
        // JSON has no other paths. One that is changed by this leads nowhere; the others are there for it.
        Origin { path: path.to_string_lossy().into_owned().into(), from_store, inode }
    }

    /// Whether both are the same file: one of the three suffices.
    pub fn is(&self, other: &Origin) -> bool {
        let same_way = self.from_store.is_some() && self.from_store == other.from_store;
        let same_inode = self.inode.is_some() && self.inode == other.inode;
        self.path == other.path || same_way || same_inode
    }

    /// Where it was.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, where it is now.
    pub(crate) fn find(&self, store: &Store) -> Option<PathBuf> {
        let found = self.candidates(store).find(|path| path.is_file());
        found.or_else(|| Folders::default().find(&self.folders(store), self.inode?))
    }

    /// Every file that it may be now: at its paths, or under its inode in the same folders.
    pub(crate) fn places(&self, store: &Store, folders: &mut Folders) -> BTreeSet<Place> {
        let at_paths = self.candidates(store).filter_map(|path| Place::at(&path));
        let renamed = self.inode.filter(|inode| folders.find(&self.folders(store), *inode).is_some());
        at_paths.chain(renamed.map(Place::from)).collect()
    }

    /// As those say it who wrote no more than the absolute path, it may have `..` in it.
    pub(super) fn settled(mut self) -> Origin {
        if self.inode.is_none() {
            self.path = plain(&self.path);
        }
        self
    }

    fn candidates(&self, store: &Store) -> impl Iterator<Item = PathBuf> {
        let from_store = self.from_store.as_ref().map(|path| store.root().join(path));
        from_store.into_iter().chain([self.path.clone()])
    }

    fn folders(&self, store: &Store) -> Vec<PathBuf> {
        self.candidates(store).filter_map(|path| Some(path.parent()?.to_owned())).collect()
    }
}

impl Inode {
    fn of(found: &Metadata) -> Inode {
        let born = found.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| u64::try_from(since.as_nanos()).ok());
        Inode { device: found.dev(), number: found.ino(), born }
    }
}

impl From<Inode> for Place {
    fn from(Inode { device, number, .. }: Inode) -> Place {
        Place::File { device, number }
    }
}

impl Place {
    fn at(path: &Path) -> Option<Place> {
        match fs::metadata(path) {
            Ok(found) => found.is_file().then(|| Inode::of(&found).into()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(_) => Some(Place::Hidden(path.to_owned())),
        }
    }
}

/// Pipeline files by folder, each folder looked at once.
#[derive(Debug, Default)]
pub(crate) struct Folders(HashMap<PathBuf, Vec<(Inode, PathBuf)>>);

impl Folders {
    fn find(&mut self, folders: &[PathBuf], inode: Inode) -> Option<PathBuf> {
        folders.iter().find_map(|folder| {
            let files = self.0.entry(folder.clone()).or_insert_with(|| pipelines_in(folder));
            files.iter().find(|(found, _)| *found == inode).map(|(_, path)| path.clone())
        })
    }
}

fn pipelines_in(folder: &Path) -> Vec<(Inode, PathBuf)> {
    let paths = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let pipelines = paths.filter(|path| path.extension().is_some_and(|end| end == "ron"));
    pipelines.filter_map(|path| Some((Inode::of(&fs::metadata(&path).ok()?), path))).collect()
}

/// A path whose folder is free of `..` and symbolic links.
fn plain(file: &Path) -> PathBuf {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (path.parent().and_then(|folder| folder.canonicalize().ok()), path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The way from a folder to a file, both absolute and plain.
fn relative(file: &Path, folder: &Path) -> Option<PathBuf> {
    let common = file.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    (common > 0).then(|| up.chain(file.components().skip(common)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Project {
        dir: tempfile::TempDir,
    }

    impl Project {
        fn new() -> Project {
            let project = Project { dir: tempfile::tempdir().unwrap() };
            fs::create_dir(project.path("here")).unwrap();
            fs::write(project.path("here/p.ron"), "").unwrap();
            project
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn store(&self) -> Store {
            Store::open(&self.path("here/.hyper-flow")).unwrap()
        }

        fn origin(&self, name: &str) -> Origin {
            Origin::of(&self.path(name), &self.store())
        }
    }

    #[test]
    fn ways_lead_from_the_store_to_the_file() {
        let way = |file: &str, folder: &str| relative(Path::new(file), Path::new(folder)).unwrap();
        assert_eq!(way("/a/p.ron", "/a/.hyper-flow"), Path::new("../p.ron"));
        assert_eq!(way("/a/b/p.ron", "/a/s/t"), Path::new("../../b/p.ron"));
        assert_eq!(way("/p.ron", "/s"), Path::new("../p.ron"));
    }

    #[test]
    fn a_file_is_itself_by_whatever_path() {
        let project = Project::new();
        std::os::unix::fs::symlink(project.path("here"), project.path("there")).unwrap();
        let origin = project.origin("here/p.ron");
        assert_eq!(origin, project.origin("here/../here/p.ron"));
        assert_eq!(origin, project.origin("there/p.ron"));
        assert_eq!(origin.from_store.as_deref(), Some(Path::new("../p.ron")));
    }

    #[test]
    fn a_copy_is_another() {
        let project = Project::new();
        fs::copy(project.path("here/p.ron"), project.path("here/q.ron")).unwrap();
        let [original, copy] = ["here/p.ron", "here/q.ron"].map(|name| project.origin(name));
        assert!(!original.is(&copy));
        let store = project.store();
        let places = |origin: &Origin| origin.places(&store, &mut Folders::default());
        assert!(places(&original).is_disjoint(&places(&copy)));
        fs::remove_file(project.path("here/q.ron")).unwrap();
        assert_eq!((places(&original).len(), places(&copy).len()), (1, 0));
    }

    #[test]
    fn a_file_that_was_given_the_number_of_one_that_is_gone_is_another() {
        let project = Project::new();
        let gone = project.origin("here/p.ron");
        let inode = gone.inode.unwrap();
        let born = inode.born.map(|born| born + 1);
        let next = Origin { path: "/q.ron".into(), from_store: None, inode: Some(Inode { born, ..inode }) };
        assert_eq!(gone.is(&next), born.is_none(), "unless the file system does not know");
    }

    #[test]
    fn a_moved_folder_a_renamed_file_and_a_replaced_one_stay_the_same() {
        let project = Project::new();
        let origin = project.origin("here/p.ron");
        fs::write(project.path("new"), "edited").unwrap();
        fs::rename(project.path("new"), project.path("here/p.ron")).unwrap();
        assert!(origin.is(&project.origin("here/p.ron")), "an editor that saves by renaming");

        let origin = project.origin("here/p.ron");
        fs::rename(project.path("here/p.ron"), project.path("here/q.ron")).unwrap();
        assert!(origin.is(&project.origin("here/q.ron")), "another name");
        let store = project.store();
        let renamed = project.origin("here/q.ron");
        assert_eq!(
            origin.places(&store, &mut Folders::default()),
            renamed.places(&store, &mut Folders::default()),
            "found before it is run again"
        );
        assert_eq!(origin.find(&store).unwrap().file_name(), Some("q.ron".as_ref()));

        fs::create_dir(project.path("elsewhere")).unwrap();
        fs::rename(project.path("here"), project.path("elsewhere/here")).unwrap();
        let moved = Store::open(&project.path("elsewhere/here/.hyper-flow")).unwrap();
        assert!(renamed.is(&Origin::of(&project.path("elsewhere/here/q.ron"), &moved)), "another folder");
        assert!(renamed.find(&moved).unwrap().is_file());
        assert_eq!(renamed.places(&moved, &mut Folders::default()).len(), 1);
    }
}
