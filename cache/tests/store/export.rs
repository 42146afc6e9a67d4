use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use hyper_flow_cache::{ExportOptions, StoreError};

use crate::common::*;

const FILES: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("run*", "gamma")];
const PLAIN: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("run", "gamma")];
const POLITE: ExportOptions = ExportOptions { force: false };
const FORCE: ExportOptions = ExportOptions { force: true };

#[test]
fn an_export_is_the_users_own() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("deep/out");
    let done = store.export(&record.artifact, &out, POLITE).unwrap();
    assert_eq!(done.written, ["a", "run", "sub/b"]);
    assert_eq!(content_of(&out), contents(&PLAIN));
    let meta = fs::metadata(out.join("a")).unwrap();
    assert_ne!(meta.ino(), fs::metadata(object(store, "alpha")).unwrap().ino());
    assert_eq!(meta.permissions().mode() & 0o700, 0o600, "writable");
    assert_eq!(fs::metadata(out.join("run")).unwrap().permissions().mode() & 0o700, 0o700);
    fs::write(out.join("a"), "edited").unwrap();
    assert_eq!(store.read(&record.artifact, "a").unwrap(), b"alpha");
}

#[test]
fn a_second_export_restores_what_changed() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("out");
    store.export(&record.artifact, &out, POLITE).unwrap();
    let done = store.export(&record.artifact, &out, POLITE).unwrap();
    assert_eq!((done.written.len(), done.unchanged.len()), (0, 3));

    fs::write(out.join("a"), "ALPHA").unwrap();
    fs::remove_dir_all(out.join("sub")).unwrap();
    fs::set_permissions(out.join("run"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(out.join("notes"), "mine").unwrap();
    let done = store.export(&record.artifact, &out, POLITE).unwrap();
    assert_eq!(done.written, ["a", "run", "sub/b"]);
    let mut now = contents(&PLAIN);
    now.insert("notes".to_owned(), "mine".to_owned());
    assert_eq!(content_of(&out), now);

    fs::remove_dir_all(&out).unwrap();
    store.export(&record.artifact, &out, POLITE).unwrap();
    assert_eq!(content_of(&out), contents(&PLAIN));
}

#[test]
fn an_export_follows_its_node() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let first = publish(store, "one", &[("a", "1"), ("old/gone", "1"), ("old/edited", "1")]);
    store.export(&first.artifact, &out, POLITE).unwrap();
    fs::write(out.join("old/edited"), "by me").unwrap();
    let second = publish(store, "two", &[("a", "2"), ("new/b", "2")]);
    let done = store.export(&second.artifact, &out, POLITE).unwrap();
    assert_eq!(done.removed, ["old/gone"]);
    let now = contents(&[("a", "2"), ("new/b", "2"), ("old/edited", "by me")]);
    assert_eq!(content_of(&out), now);
}

#[test]
fn somebodys_directory_is_left_alone() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    write_files(dir.path(), &[("out/a", "mine"), ("out/other", "mine")]);
    let out = dir.path().join("out");
    let refused = store.export(&record.artifact, &out, POLITE);
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
    assert_eq!(content_of(&out), contents(&[("a", "mine"), ("other", "mine")]));

    store.export(&record.artifact, &out, FORCE).unwrap();
    let mut now = contents(&PLAIN);
    now.insert("other".to_owned(), "mine".to_owned());
    assert_eq!(content_of(&out), now);
}

#[test]
fn a_directory_that_equals_is_no_stranger() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("out");
    write_files(&out, &FILES);
    let done = store.export(&record.artifact, &out, POLITE).unwrap();
    assert_eq!((done.written.len(), done.unchanged.len()), (0, 3));
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let (out, far) = (dir.path().join("out"), dir.path().join("far"));
    write_files(&far, &[("b", "mine"), ("a", "mine")]);
    fs::create_dir(&out).unwrap();
    symlink(&far, out.join("sub")).unwrap();
    symlink(far.join("a"), out.join("a")).unwrap();
    let refused = store.export(&record.artifact, &out, FORCE);
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
    assert_eq!(content_of(&far), contents(&[("a", "mine"), ("b", "mine")]));
    assert!(fs::symlink_metadata(out.join("a")).unwrap().is_file(), "replaced, not followed");
}

#[test]
fn two_destinations_do_not_mix() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let other = dir.path().join("other");
    store.export(&record.artifact, &dir.path().join("out"), POLITE).unwrap();
    write_files(&other, &[("a", "mine")]);
    assert!(store.export(&record.artifact, &other, POLITE).is_err());
}

#[test]
fn a_store_that_one_may_only_read_exports() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let before = fs::metadata(store.root()).unwrap().permissions();
    fs::remove_dir_all(store.root().join("tmp")).unwrap();
    fs::set_permissions(store.root(), fs::Permissions::from_mode(0o555)).unwrap();
    let done = store.export(&record.artifact, &dir.path().join("out"), POLITE);
    fs::set_permissions(store.root(), before).unwrap();
    assert_eq!(done.unwrap().written, ["a", "run", "sub/b"]);
    assert_eq!(content_of(&dir.path().join("out")), contents(&PLAIN));
}
