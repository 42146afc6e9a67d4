//! Giving artifacts to people.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::clone;
use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::ledger::{Ledger, Put};
use crate::lock::Locked;
use crate::share::own_mode;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use crate::{fault, files};

/// What temporary files are called; six letters or digits follow.
const TEMPORARY: &str = ".export-";

/// How to export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Overwrite files that are not what this store put there for the same exporter.
    pub force: bool,
    /// For whom: what was put into a destination for one is brought up to date only for the same.
    pub by: String,
    /// What a file of the artifact is called in the destination, if that is not its own path.
    pub names: BTreeMap<String, String>,
    /// What is written in place of a file of the artifact, by its path there.
    pub instead: BTreeMap<String, Vec<u8>>,
}

/// What an export did, by file. The name of a directory, of those that are empty, ends in a slash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Written, because they were missing or differed.
    pub written: Vec<String>,
    /// Already there with the right content.
    pub unchanged: Vec<String>,
    /// Removed: a former export for the same put them there, unedited since, and this artifact has no such file.
    pub removed: Vec<String>,
}

/// What is at the place of a file that is to be written.
enum Standing {
    Missing,
    /// What is to be written.
    Same,
    /// What an earlier export for the same put there, or the right content with another mode.
    Ours,
    /// Somebody's, and why that is thought.
    Foreign(String),
    /// Something that cannot be replaced by a file.
    Blocked(&'static str),
}

impl Store {
    /// Writes the artifact's files into the directory `dest`, as reflinks or copies, never as hard
    /// links, each one atomically; of some, others in their place. What an earlier export for the same put there is brought up to date. Other
    /// files in `dest` are left alone.
    ///
    /// # Errors
    /// [`crate::StoreError::Foreign`], before anything is written, if a file would be overwritten that is neither
    /// what is to be written nor what was put there for the same, unless `force` is set;
    /// [`crate::StoreError::Damaged`].
    pub fn export(&self, artifact: &Digest, dest: &Path, options: &ExportOptions) -> Result<Exported> {
        let tree = self.tree(artifact)?;
        self.verify_objects(artifact, &tree)?;
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(own_mode(0o777)).create(dest).map_err(StoreError::io("create", dest))?;
        let dest = fs::canonicalize(dest).map_err(StoreError::io("open", dest))?;
        // Of exports into one directory, one at a time; what a dead one left is nobody's then.
        let lock = lock(&dest);
        let before = self.read_ledger(&dest)?;
        let export = Export { store: self, dest, options, wanted: wanted(&tree, options), before };
        let standings = export.look()?;
        if lock.is_some() {
            export.remove_temporaries()?;
        }
        export.carry_out(&standings, &tree)
    }
}

/// A file to write, and what it is called in the destination.
struct Wanted<'a> {
    path: String,
    entry: Cow<'a, Entry>,
    /// What is written; none for what the store has.
    bytes: Option<&'a [u8]>,
}

struct Export<'a> {
    store: &'a Store,
    dest: PathBuf,
    options: &'a ExportOptions,
    wanted: Vec<Wanted<'a>>,
    before: Ledger,
}

impl Export<'_> {
    /// What is at each place; refuses all if one is not ours to write to.
    fn look(&self) -> Result<Vec<Standing>> {
        let mut refused = Vec::new();
        let standings = self.wanted.iter().map(|wanted| self.stands(wanted)).collect::<Result<Vec<_>>>()?;
        for (wanted, standing) in self.wanted.iter().zip(&standings) {
            match standing {
                Standing::Blocked(why) => refused.push(format!("`{}`, {why}", wanted.path)),
                Standing::Foreign(why) if !self.options.force => refused.push(format!("`{}`, {why}", wanted.path)),
                _ => {}
            }
        }
        match refused.is_empty() {
            true => Ok(standings),
            false => Err(StoreError::Foreign { dest: self.dest.clone(), files: refused }),
        }
    }

    fn stands(&self, wanted: &Wanted) -> Result<Standing> {
        let path = self.dest.join(&wanted.path);
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != self.dest) {
            if files::stat(dir)?.is_some_and(|meta| !meta.is_dir()) {
                return Ok(Standing::Blocked("whose folder is a file or a link there"));
            }
        }
        let Some(meta) = files::stat(&path)? else { return Ok(Standing::Missing) };
        if meta.is_dir() {
            return Ok(Standing::Blocked("which is a directory there"));
        }
        if !meta.is_file() {
            return Ok(Standing::Foreign("which is no plain file there".to_owned()));
        }
        let known: Vec<&Put> = self.before.at(&wanted.path).collect();
        let sizes = known.iter().map(|put| put.size).chain([wanted.entry.size]);
        let found = if sizes.into_iter().any(|size| size == meta.len()) { Some(hash(&path)?) } else { None };
        let exec = meta.permissions().mode() & 0o100 != 0;
        Ok(match found {
            Some(digest) if digest == wanted.entry.digest && exec == wanted.entry.exec => Standing::Same,
            Some(digest) if digest == wanted.entry.digest => Standing::Ours,
            found => self.judge(&known, found),
        })
    }

    /// A file that is not what is to be written, by what was put there.
    fn judge(&self, known: &[&Put], found: Option<Digest>) -> Standing {
        let unedited: Vec<&&Put> = known.iter().filter(|put| found.is_some() && put.digest == found).collect();
        match (unedited.iter().find(|put| !self.is_ours(put)), unedited.first(), known.first()) {
            (Some(other), ..) => Standing::Foreign(format!("which was exported for {}", other.by)),
            (None, Some(_), _) => Standing::Ours,
            (None, None, Some(_)) => Standing::Foreign("which was edited since it was exported".to_owned()),
            (None, None, None) => Standing::Foreign("which is not from an export".to_owned()),
        }
    }

    fn is_ours(&self, put: &Put) -> bool {
        put.by == self.options.by || put.by.is_empty()
    }

    fn carry_out(mut self, standings: &[Standing], tree: &Tree) -> Result<Exported> {
        let new = self.puts(tree);
        // Noted before the files are there, beside what was: an export that was cut off can be done again.
        self.before.add(new.clone());
        self.store.write_ledger(&self.before)?;
        let mut done = Exported::default();
        let keep: BTreeSet<&str> = new.iter().map(|put| put.path.as_str()).collect();
        for put in self.before.files().iter().filter(|put| put.by == self.options.by && !keep.contains(&*put.path)) {
            self.remove_former(put, &mut done)?;
        }
        for (wanted, standing) in self.wanted.iter().zip(standings) {
            self.write(wanted, standing, &mut done)?;
        }
        for path in tree.empty_directories() {
            let told = if self.make_directories(Path::new(path))? { &mut done.written } else { &mut done.unchanged };
            told.push(format!("{path}/"));
        }
        // Of others stays what was not written over.
        let by = &self.options.by;
        let stays = |put: &Put| put.by != *by && (!keep.contains(&*put.path) || new.iter().any(|new| same(new, put)));
        self.before.retain(stays);
        self.before.add(new);
        self.store.write_ledger(&self.before)?;
        Ok(done)
    }

    /// What will have been put there.
    fn puts(&self, tree: &Tree) -> Vec<Put> {
        let by = &self.options.by;
        let file = |wanted: &Wanted| Put {
            path: wanted.path.clone(),
            digest: Some(wanted.entry.digest),
            size: wanted.entry.size,
            by: by.clone(),
        };
        let directory = |path: &str| Put { path: path.to_owned(), digest: None, size: 0, by: by.clone() };
        self.wanted.iter().map(file).chain(tree.empty_directories().map(directory)).collect()
    }

    fn write(&self, wanted: &Wanted, standing: &Standing, done: &mut Exported) -> Result<()> {
        if matches!(standing, Standing::Same) {
            done.unchanged.push(wanted.path.clone());
            return Ok(());
        }
        let path = self.dest.join(&wanted.path);
        self.make_directories(Path::new(&wanted.path).parent().unwrap_or(Path::new("")))?;
        let object = self.store.object_path(&wanted.entry.digest);
        let written = write_new(&path, wanted.entry.exec, |file| match wanted.bytes {
            None => clone::reflink_or_copy(&object, file),
            Some(bytes) => (&*file).write_all(bytes),
        });
        written.map_err(StoreError::io("write", &path))?;
        done.written.push(wanted.path.clone());
        Ok(())
    }

    /// Makes directories below the destination, never through a symbolic link, which may lead anywhere. Says
    /// whether there was one to make.
    fn make_directories(&self, rel: &Path) -> Result<bool> {
        let (mut dir, mut made) = (self.dest.clone(), false);
        for name in rel {
            dir.push(name);
            match files::stat(&dir)? {
                Some(meta) if meta.is_dir() => {}
                Some(_) => {
                    let found = format!("`{}`, which is no directory there", rel.display());
                    return Err(StoreError::Foreign { dest: self.dest.clone(), files: vec![found] });
                }
                None => {
                    let create = DirBuilder::new().mode(own_mode(0o777)).create(&dir);
                    create.map_err(StoreError::io("create", &dir))?;
                    made = true;
                }
            }
        }
        Ok(made)
    }

    /// Removes what an earlier export left, unless it was edited or is another's too, and the directories that
    /// this empties.
    fn remove_former(&self, put: &Put, done: &mut Exported) -> Result<()> {
        let path = self.dest.join(&put.path);
        let others = self.before.at(&put.path).any(|other| other.by != put.by && same(other, put));
        if others || !is_put(&path, put)? {
            return Ok(());
        }
        match put.digest {
            Some(_) => fs::remove_file(&path).map_err(StoreError::io("remove", &path))?,
            // Something may have been put into it.
            None if fs::remove_dir(&path).is_err() => return Ok(()),
            None => {}
        }
        done.removed.push(if put.digest.is_some() { put.path.clone() } else { format!("{}/", put.path) });
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != self.dest) {
            if fs::remove_dir(dir).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes what an export that was killed left half written.
    fn remove_temporaries(&self) -> Result<()> {
        let paths =
            self.wanted.iter().map(|wanted| &wanted.path).chain(self.before.files().iter().map(|put| &put.path));
        let dirs: BTreeSet<PathBuf> = paths.map(|path| files::parent(&self.dest.join(path)).to_owned()).collect();
        for dir in dirs {
            for entry in files::list(&dir)? {
                let path = entry.map_err(StoreError::io("read", &dir))?.path();
                if is_temporary(&path) {
                    fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                }
            }
        }
        Ok(())
    }
}

fn wanted<'a>(tree: &'a Tree, options: &'a ExportOptions) -> Vec<Wanted<'a>> {
    let name = |entry: &Entry| options.names.get(&entry.path).unwrap_or(&entry.path).clone();
    let file = |entry: &'a Entry| match options.instead.get(&entry.path) {
        None => Wanted { path: name(entry), entry: Cow::Borrowed(entry), bytes: None },
        Some(bytes) => {
            let other = Entry { digest: Digest::of(bytes), size: bytes.len() as u64, ..entry.clone() };
            Wanted { path: name(entry), entry: Cow::Owned(other), bytes: Some(bytes) }
        }
    };
    tree.entries().iter().map(file).collect()
}

/// Whether two exporters put the same there.
fn same(a: &Put, b: &Put) -> bool {
    (&a.path, a.digest) == (&b.path, b.digest)
}

/// Held until it is dropped; `None` where the file system has no locks on directories.
fn lock(dest: &Path) -> Option<Locked> {
    let dir = File::open(dest).ok()?;
    flock(&dir, FlockOperation::LockExclusive).ok().map(|()| Locked(dir))
}

/// Whether what was put there is still there, unedited.
fn is_put(path: &Path, put: &Put) -> Result<bool> {
    let Some(meta) = files::stat(path)? else { return Ok(false) };
    match put.digest {
        Some(digest) => Ok(meta.is_file() && meta.len() == put.size && hash(path)? == digest),
        None => Ok(meta.is_dir()),
    }
}

fn hash(path: &Path) -> Result<Digest> {
    files::hash(path).map(|(digest, _)| digest).map_err(StoreError::io("read", path))
}

fn is_temporary(path: &Path) -> bool {
    let rest = path.file_name().and_then(|name| name.to_str()?.strip_prefix(TEMPORARY));
    rest.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric())) && !path.is_dir()
}

/// Writes a file that its owner may edit, with the modes the user's umask allows.
fn write_new(path: &Path, exec: bool, fill: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
    let mode = Permissions::from_mode(own_mode(if exec { 0o777 } else { 0o666 }));
    let file = tempfile::Builder::new().prefix(TEMPORARY).permissions(mode).tempfile_in(files::parent(path))?;
    fill(file.as_file())?;
    fault::point("export a file")?;
    file.persist(path)?;
    Ok(())
}
