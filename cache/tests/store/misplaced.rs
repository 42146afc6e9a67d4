//! Things that are where something else belongs.

use std::fs;
use std::path::Path;

use hyper_flow_cache::{Access, Digest, ExportOptions, Store, StoreError};

use crate::common::*;

/// Puts a file (or, with `*`, a directory with something in it) at a place, and what was there away.
fn misplace(path: &Path, directory: bool) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    hyper_flow_cache::remove_tree(path).unwrap();
    if directory {
        write_files(path, &[("inner", "kept")]);
    } else {
        fs::write(path, "junk").unwrap();
    }
}

/// Every command opens the store: that names what is wrong, and how it is mended.
#[track_caller]
fn is_named(store: &Store, rel: &str) {
    for opened in [Store::open(store.root()), Store::open_existing(store.root())] {
        let said = opened.unwrap_err().to_string();
        let path = store.root().join(rel).display().to_string();
        assert!(said.contains(&path) && said.contains("`hyper-flow cache verify --repair` mends it"), "{said}");
    }
}

/// Verification names it, changing nothing; its repair sets it aside, and then there is nothing more.
#[track_caller]
fn is_mended(store: &Store, rel: &str) -> Store {
    let damaged = Store::open_to_mend(store.root()).unwrap();
    let names = |repair| -> Vec<String> {
        let problems = damaged.verify(repair).unwrap().problems;
        problems.iter().map(|problem| problem.path.to_str().unwrap().to_owned()).collect()
    };
    assert!(names(false).contains(&rel.to_owned()), "{rel}: {:?}", names(false));
    assert!(names(true).contains(&rel.to_owned()));
    assert_eq!(names(false), [""; 0]);
    Store::open(store.root()).unwrap()
}

#[test]
fn a_damaged_version_file() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &[("a", "alpha")]);
    let version = store.root().join("version");
    let before = fs::read(&version).unwrap();
    for content in ["", "\0\0\0\0", "hyper-flow store", "hyper-flow store 1, shar"] {
        fs::remove_file(&version).unwrap();
        fs::write(&version, content).unwrap();
        is_named(store, "version");
        let mended = is_mended(store, "version");
        assert_eq!((fs::read(&version).unwrap(), mended.access()), (before.clone(), Access::Private));
        assert_eq!(mended.lookup(&key("n")).unwrap(), Some(record.clone()));
    }
    misplace(&version, true);
    is_named(store, "version");
    assert_eq!(is_mended(store, "version").lookup(&key("n")).unwrap(), Some(record));
}

#[test]
fn a_damaged_version_file_of_a_shared_store() {
    let Home { store, .. } = &home();
    let (shared, _) = store.share(None).unwrap();
    fs::remove_file(shared.root().join("version")).unwrap();
    fs::write(shared.root().join("version"), "").unwrap();
    assert_eq!(is_mended(&shared, "version").access(), Access::Group);
}

#[test]
fn another_format_is_left_alone() {
    let Home { store, .. } = &home();
    let version = store.root().join("version");
    fs::remove_file(&version).unwrap();
    fs::write(&version, "hyper-flow store 2\n").unwrap();
    for opened in [Store::open(store.root()), Store::open_existing(store.root()), Store::open_to_mend(store.root())] {
        assert!(matches!(opened, Err(StoreError::Version { .. })), "{opened:?}");
    }
}

#[test]
fn a_file_in_the_way_of_a_directory() {
    let Home { store, .. } = &home();
    let kept = publish(store, "kept", &[("a", "kept")]);
    let shard = |area: &str, name: &dyn ToString| format!("{area}/{}", &name.to_string()[..2]);
    let lost = Digest::of(b"lost");
    let areas = ["tmp", "locks", "runs", "scratch", "damaged", "exports", "memos"].map(str::to_owned);
    for rel in areas.into_iter().chain([shard("objects", &lost), shard("records", &key("n")), shard("trees", &lost)]) {
        let path = store.root().join(&rel);
        assert!(!path.exists() || !rel.contains('/'), "another digest begins so: {rel}");
        misplace(&path, false);
        is_named(store, &rel);
        let mended = is_mended(store, &rel);
        assert_eq!(mended.lookup(&key("kept")).unwrap(), Some(kept.clone()), "{rel}");
        publish(&mended, &rel, &[("a", "lost"), ("b", &rel)]);
        let aside = fs::read_dir(store.root().join("damaged")).unwrap().map(|entry| entry.unwrap().path());
        assert!(aside.into_iter().any(|path| fs::read(path).is_ok_and(|found| found == b"junk")), "{rel}");
        hyper_flow_cache::remove_tree(&store.root().join("damaged")).unwrap();
        hyper_flow_cache::remove_tree(&object(store, "lost")).unwrap();
        let _ = fs::remove_dir(object(store, "lost").parent().unwrap());
    }
}

#[test]
fn a_file_that_comes_while_the_store_is_open() {
    let Home { store, .. } = &home();
    misplace(object(store, "alpha").parent().unwrap(), false);
    let staging = store.staging().unwrap();
    write_files(staging.path(), &[("a", "alpha")]);
    let refused = store.publish(&key("n"), &preimage("n"), staging.path(), serde_json::Value::Null);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("is a file, where a directory belongs") && said.contains("verify --repair"), "{said}");
}

#[test]
fn a_directory_where_a_file_belongs() {
    let Home { store, dir } = &home();
    let kept = publish(store, "kept", &[("a", "kept")]);
    let out = dir.path().join("out");
    let options = ExportOptions::default();
    store.export(&kept.artifact, &out, &options).unwrap();
    let note = fs::read_dir(store.root().join("exports")).unwrap().next().unwrap().unwrap().path();
    let question = Digest::of(b"question");
    let places = [
        note.clone(),
        store.root().join("memos").join(question.to_string()),
        store.root().join("locks").join(key("kept").to_string()),
        store.root().join("locks/store"),
        object(store, "other"),
        filed(store, "trees", question),
        filed(store, "records", key("other")),
        filed(store, "preimages", key("other")),
    ];
    for path in &places {
        misplace(path, true);
    }
    let named =
        |refused: StoreError| refused.to_string().contains("a directory, where a file belongs; `hyper-flow cache");
    assert!(named(store.export(&kept.artifact, &out, &options).unwrap_err()));
    assert!(named(store.set_memo(&question, b"x").unwrap_err()));
    assert!(named(store.try_lock_key(&key("kept"), "me").unwrap_err()));
    assert!(named(store.lock_shared().unwrap_err()));
    assert_eq!(store.lookup(&key("other")).unwrap(), None);

    let mut expected: Vec<_> = places.iter().map(|path| path.strip_prefix(store.root()).unwrap().to_owned()).collect();
    expected.sort();
    let paths = |report: hyper_flow_cache::VerifyReport| -> Vec<_> {
        report.problems.into_iter().map(|problem| problem.path).collect()
    };
    assert_eq!(paths(store.verify(false).unwrap_or_else(|e| panic!("{e}"))), expected);
    assert_eq!(paths(store.verify(true).unwrap()), expected);
    assert_eq!(store.verify(false).unwrap().problems, []);
    assert_eq!(store.lookup(&key("kept")).unwrap(), Some(kept.clone()));
    assert_eq!(store.export(&kept.artifact, &out, &options).unwrap().unchanged, ["a"]);
    publish(store, "other", &[("a", "other")]);
}

#[test]
fn a_damaged_note_of_an_export_is_found() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &[("a", "alpha")]);
    store.export(&record.artifact, &dir.path().join("out"), &ExportOptions::default()).unwrap();
    let note = fs::read_dir(store.root().join("exports")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&note).unwrap();
    assert_eq!(store.verify(false).unwrap().problems, []);
    for content in [b"".as_slice(), &whole[..whole.len() / 2], b"{}"] {
        overwrite(&note, content);
        assert_eq!(store.verify(false).unwrap().problems.len(), 1);
    }
    store.verify(true).unwrap();
    assert_eq!(store.verify(false).unwrap().problems, []);
    store.export(&record.artifact, &dir.path().join("out"), &ExportOptions::default()).unwrap();
}
