//! Stores that are only read, and places where there is none.

use std::fs;
use std::io::{Read, Seek, SeekFrom};

use hyper_flow_cache::{Digest, GcPolicy, Reader, Store, StoreError};

use crate::common::*;

#[test]
fn without_a_store_reading_finds_nothing_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("no/store");
    let store = Store::open_existing(&root).unwrap();
    assert!(!store.is_there());
    assert_eq!((store.lookup(&key("n")).unwrap(), store.record(&key("n")).unwrap()), (None, None));
    assert!(store.pins().unwrap().is_empty() && store.last_used().unwrap().is_empty());
    assert_eq!(store.du().unwrap().total().files, 0);
    store.touch(&[key("n")]);
    store.set_memo(&Digest::of(b"question"), b"answer").unwrap();
    assert_eq!(store.memo(&Digest::of(b"question")).unwrap(), None);
    // What is large enough to be remembered.
    fs::write(dir.path().join("large"), vec![7; 17 << 20]).unwrap();
    let file = fs::File::open(dir.path().join("large")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(store.digest_path(&dir.path().join("large")).unwrap().digest, Digest::of(&vec![7; 17 << 20]));
    assert!(!dir.path().join("no").exists());
    Store::open(&root).unwrap();
    assert!(Store::open_existing(&root).unwrap().is_there());
}

#[test]
fn a_directory_of_somebody_is_no_store_to_read_either() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!Store::open_existing(dir.path()).unwrap().is_there(), "an empty one may become a store");
    for name in ["notes.txt", "version"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), "1.2.3").unwrap();
        for opened in [Store::open_existing(dir.path()), Store::open(dir.path()), Store::open_to_mend(dir.path())] {
            assert!(matches!(&opened, Err(StoreError::NotAStore { found, .. }) if found == name), "{opened:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    for opened in [Store::open_existing(&file), Store::open(&file), Store::open_to_mend(&file)] {
        assert!(matches!(&opened, Err(StoreError::Io { path, .. }) if *path == file), "{opened:?}");
    }
}

#[test]
fn a_store_whose_version_file_is_gone_is_read_and_written() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &[("a", "alpha")]);
    let version = store.root().join("version");
    fs::remove_file(&version).unwrap();
    assert_eq!(Store::open_existing(store.root()).unwrap().lookup(&key("n")).unwrap(), Some(record.clone()));
    assert!(!version.exists());
    assert_eq!(Store::open(store.root()).unwrap().lookup(&key("n")).unwrap(), Some(record));
    assert!(version.exists());
}

#[test]
#[ignore = "another user's process, for `a_store_that_one_may_only_read_is_as_good_as_ones_own_for_reading`"]
fn reader() {
    take_umask();
    let store = told_store();
    let record = store.lookup(&key("n")).unwrap().unwrap();
    let _lock = store.lock_shared().unwrap();
    assert!(matches!(store.check_writable(), Err(StoreError::Unwritable { .. })));
    assert_eq!(store.read(&record.artifact, "a").unwrap(), b"alpha");
    assert_eq!(store.pins().unwrap(), [pin("good", "n")]);
    assert!(store.pin(&pin("mine", "n")).is_err() && store.unpin("good").is_err());
    store.touch(&[key("n")]);
    assert_eq!(store.last_used().unwrap().len(), 2);
    assert_eq!(store.lookup(&key("touched")).unwrap().map(|record| record.files), Some(1), "hashed, not restored");
    assert_eq!(store.verify(false).unwrap().problems, []);
    assert!(matches!(store.verify(true), Err(StoreError::Unwritable { .. })), "a repair that cannot be made");
    let out = tempfile::tempdir().unwrap();
    let options = hyper_flow_cache::ExportOptions::default();
    assert_eq!(store.export(&record.artifact, out.path(), &options).unwrap().written, ["a"]);
    let to = out.path().join("in");
    store.link_into(&record.artifact, &to, Reader::Known).unwrap();
    hyper_flow_cache::remove_tree(&to).unwrap();
    assert!(store.gc(&GcPolicy::default()).is_err() && store.staging().is_err());
}

#[test]
fn a_store_that_one_may_only_read_is_as_good_as_ones_own_for_reading() {
    if !can_be_others("reading a store of root's") {
        return;
    }
    let home = home();
    let store = &home.store;
    publish(store, "n", &[("a", "alpha")]);
    publish(store, "touched", &[("a", "other")]);
    fs::File::open(object(store, "other")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    store.pin(&pin("good", "n")).unwrap();
    store.touch(&[key("n")]);
    for had_a_lock in [true, false] {
        if had_a_lock {
            drop(store.lock_shared().unwrap());
        } else {
            fs::remove_dir_all(store.root().join("locks")).unwrap();
        }
        run_as(User { uid: 65534, gid: 65534, umask: 0o022 }, "reading::reader", &home);
    }
    assert_eq!(store.pins().unwrap(), [pin("good", "n")]);
}

#[test]
fn a_file_is_read_in_pieces_and_not_if_it_was_altered() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &[("a", "alpha")]);
    let mut file = store.open_file(&record.artifact, "a").unwrap();
    file.seek(SeekFrom::Start(2)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "pha");
    assert!(matches!(store.open_file(&record.artifact, "b"), Err(StoreError::NoSuchFile { .. })));
    overwrite(&object(store, "alpha"), b"alphb");
    assert!(matches!(store.open_file(&record.artifact, "a"), Err(StoreError::Damaged { .. })));
}
