//! Reading everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::areas::{self, Filed};
use crate::digest::{Digest, Key};
use crate::error::{Result, StoreError};
use crate::files;
use crate::format::Version;
use crate::layout;
use crate::ledger;
use crate::lock::StoreLock;
use crate::pins;
use crate::record::Record;
use crate::store::{self, Store};
use crate::tree::Tree;

/// Something in the store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the store.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What a verification read and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Objects hashed.
    pub objects: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Manifests read.
    pub trees: u64,
    /// Records read.
    pub records: u64,
    /// Preimages read.
    pub preimages: u64,
    /// What is wrong, sorted by path. A repair has set each one aside.
    pub problems: Vec<Problem>,
}

impl Store {
    /// Hashes every object, manifest and preimage, checks every record, and that everything is in its place. With
    /// `repair`, whatever is altered or in the way is set aside, and so are records that nothing whole stands
    /// behind, so that the next run makes anew what is needed, and a second verification finds nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Unwritable`] if there is to be a repair and this user cannot make it.
    pub fn verify(&self, repair: bool) -> Result<VerifyReport> {
        if repair {
            self.check_writable()?;
        }
        let mut pass = Pass { store: self, repair, report: VerifyReport::default() };
        pass.places()?;
        let _lock = self.keep_collection_away()?;
        // Records first: what a record needs was there before it, so one that is published meanwhile
        // is not judged by objects that were gone through too early.
        let records = self.filed_in("records")?;
        let trees = pass.trees()?;
        let objects = pass.objects()?;
        pass.records(&records, &objects, &trees)?;
        pass.preimages()?;
        pass.report.problems.sort();
        Ok(pass.report)
    }

    /// As far as that can be: there may be something else in the place of the lock.
    fn keep_collection_away(&self) -> Result<Option<StoreLock>> {
        match self.try_lock_shared() {
            Err(StoreError::Io { .. } | StoreError::Misplaced { .. }) => Ok(None),
            other => other.map(Some),
        }
    }
}

struct Pass<'a> {
    store: &'a Store,
    repair: bool,
    report: VerifyReport,
}

impl Pass<'_> {
    /// What is not where it belongs, or not what belongs there.
    fn places(&mut self) -> Result<()> {
        if self.repair {
            self.clear_damaged()?;
        }
        for path in self.store.in_the_way()? {
            self.problem(&path, "a directory belongs here");
        }
        let is_file = |path: &Path| Ok(path.is_file());
        self.each_in("locks", "a file belongs here", is_file)?;
        self.each_in("memos", "a file belongs here", is_file)?;
        self.each_in("scratch", "a directory belongs here", |path| Ok(path.is_dir()))?;
        self.each_in("pins", "it is no pin, and what it kept is not known", pins::is_whole)?;
        self.each_in("exports", "it is not the note of an export", ledger::is_whole)?;
        let version = self.store.root().join("version");
        if Version::read(self.store.root())? != Version::Known(self.store.access()) {
            self.problem(&version, "it does not say what this store is");
            if self.repair {
                store::write_version(self.store.root(), self.store.access())?;
            }
        }
        Ok(())
    }

    /// What is in the way of the directory for what is set aside is the first thing in it.
    fn clear_damaged(&mut self) -> Result<()> {
        let (damaged, aside) = (self.store.root().join("damaged"), self.store.root().join("damaged.aside"));
        if !layout::is_in_the_way(&damaged) {
            return Ok(());
        }
        let moved = fs::rename(&damaged, &aside).and_then(|()| fs::create_dir(&damaged));
        moved
            .and_then(|()| fs::rename(aside, damaged.join("damaged")))
            .map_err(StoreError::io("set aside", &damaged))?;
        self.report.problems.push(Problem { path: "damaged".into(), what: "a directory belongs here".to_owned() });
        Ok(())
    }

    fn each_in(&mut self, area: &str, what: &str, is_right: impl Fn(&Path) -> Result<bool>) -> Result<()> {
        for path in areas::children(&self.store.root().join(area))? {
            // What is gone meanwhile was no problem.
            if !is_right(&path)? && files::stat(&path)?.is_some() {
                self.problem(&path, what);
            }
        }
        Ok(())
    }

    /// The objects that are whole.
    fn objects(&mut self) -> Result<BTreeSet<Digest>> {
        let mut whole = BTreeSet::new();
        for filed in self.store.filed_in("objects")? {
            self.report.objects += 1;
            self.report.bytes += filed.meta.len();
            match filed.name.map(Digest::from_bytes) {
                Some(digest) if self.is_whole(&filed, &digest)? => drop(whole.insert(digest)),
                _ => self.problem(&filed.path, "its content is not what its name says"),
            }
        }
        Ok(whole)
    }

    fn is_whole(&self, filed: &Filed, digest: &Digest) -> Result<bool> {
        if self.repair {
            // Restores stamps and sets aside by itself.
            return self.store.holds_content(digest);
        }
        if !filed.meta.is_file() {
            return Ok(false);
        }
        let hashed = files::absent_is_none(files::hash(&filed.path));
        let hashed = hashed.map_err(StoreError::io("read", &filed.path))?;
        Ok(hashed.is_some_and(|(found, _)| found == *digest))
    }

    /// The manifests that are whole.
    fn trees(&mut self) -> Result<BTreeMap<Digest, Tree>> {
        let mut whole = BTreeMap::new();
        for filed in self.store.filed_in("trees")? {
            self.report.trees += 1;
            let bytes = files::read_plain(&filed.path)?;
            let artifact = filed.name.map(Digest::from_bytes);
            let tree = artifact.zip(bytes).and_then(|(a, bytes)| Some((a, Tree::decode(&a, &bytes)?)));
            match tree {
                Some((artifact, tree)) => drop(whole.insert(artifact, tree)),
                None => self.problem(&filed.path, "its content is not what its name says"),
            }
        }
        Ok(whole)
    }

    fn records(&mut self, filed: &[Filed], objects: &BTreeSet<Digest>, trees: &BTreeMap<Digest, Tree>) -> Result<()> {
        let stands = |tree: &Tree| tree.entries().iter().all(|e| objects.contains(&e.digest));
        for filed in filed {
            self.report.records += 1;
            let bytes = files::read_plain(&filed.path)?;
            let key = filed.name.map(Key::from_bytes);
            match key.zip(bytes).and_then(|(key, bytes)| Record::decode(&key, &bytes)) {
                None => self.problem(&filed.path, "it is not the record its name says"),
                Some(record) if trees.get(&record.artifact).is_some_and(stands) => {}
                Some(_) => {
                    self.problem(&filed.path, "the artifact it names is missing or altered");
                }
            }
        }
        Ok(())
    }

    fn preimages(&mut self) -> Result<()> {
        for filed in self.store.filed_in("preimages")? {
            self.report.preimages += 1;
            let bytes = files::read_plain(&filed.path)?;
            let key = filed.name.map(Key::from_bytes);
            if key.zip(bytes).is_none_or(|(key, bytes)| Key::derive(&bytes) != key) {
                self.problem(&filed.path, "it does not derive the key its name says");
            }
        }
        Ok(())
    }

    fn problem(&mut self, path: &Path, what: &str) {
        if self.repair {
            self.store.set_aside(path);
        }
        let path = path.strip_prefix(self.store.root()).unwrap_or(path).to_owned();
        self.report.problems.push(Problem { path, what: what.to_owned() });
    }
}
