use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use hyper_flow_cache::{Digest, SourceKind, StoreError};

use crate::common::*;

#[test]
fn a_file_is_its_content() {
    let Home { store, dir } = &home();
    write_files(dir.path(), &[("a", "alpha"), ("elsewhere/b", "alpha")]);
    let a = store.digest_path(&dir.path().join("a")).unwrap();
    let b = store.digest_path(&dir.path().join("elsewhere/b")).unwrap();
    assert_eq!(a.digest, Digest::of(b"alpha"));
    assert_eq!(a.digest, b.digest);
    assert_eq!((a.kind, a.bytes, a.files), (SourceKind::File, 5, 1));
}

#[test]
fn a_folder_is_the_names_and_contents_in_it() {
    let Home { store, dir } = &home();
    let files = [("a", "alpha"), ("sub/b", "beta")];
    let at = |name: &str| dir.path().join(name);
    write_files(&at("one"), &files);
    write_files(&at("two"), &files);
    fs::create_dir(at("two/empty")).unwrap();
    let one = store.digest_path(&at("one")).unwrap();
    assert_eq!(one.kind, SourceKind::Folder);
    assert_eq!(one.digest, store.digest_path(&at("two")).unwrap().digest);
    assert_eq!(one.digest, publish(store, "n", &files).artifact, "as an artifact's");
    fs::rename(at("two/a"), at("two/A")).unwrap();
    assert_ne!(one.digest, store.digest_path(&at("two")).unwrap().digest);
}

#[test]
fn a_file_never_equals_a_folder() {
    let Home { store, dir } = &home();
    write_files(&dir.path().join("folder"), &[("a", "alpha")]);
    let folder = store.digest_path(&dir.path().join("folder")).unwrap();
    publish(store, "n", &[("a", "alpha")]);
    let manifest = fs::read(filed(store, "trees", folder.digest)).unwrap();
    fs::write(dir.path().join("file"), manifest).unwrap();
    assert_ne!(store.digest_path(&dir.path().join("file")).unwrap().digest, folder.digest);
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let Home { store, dir } = &home();
    let at = |name: &str| dir.path().join(name);
    write_files(dir.path(), &[("blobs/x", "alpha"), ("real/a", "alpha")]);
    fs::create_dir(at("snapshot")).unwrap();
    symlink("../blobs/x", at("snapshot/a")).unwrap();
    let linked = store.digest_path(&at("snapshot")).unwrap();
    assert_eq!(linked.digest, store.digest_path(&at("real")).unwrap().digest);
    symlink("..", at("snapshot/up")).unwrap();
    let circle = store.digest_path(&at("snapshot"));
    assert!(matches!(circle, Err(StoreError::Loop { .. })), "{circle:?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let Home { store, dir } = &home();
    let at = |name: &str| dir.path().join(name);
    let said = store.digest_path(&at("absent")).unwrap_err().to_string();
    assert!(said.contains("absent"), "{said}");
    fs::create_dir(at("folder")).unwrap();
    symlink("nowhere", at("folder/dangling")).unwrap();
    let said = store.digest_path(&at("folder")).unwrap_err().to_string();
    assert!(said.contains("dangling"), "{said}");
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let said = store.digest_path(&at("pipe")).unwrap_err().to_string();
    assert!(said.contains("pipe` is a fifo"), "{said}");
}

#[test]
fn a_change_is_noticed_however_young_the_file() {
    let Home { store, dir } = &home();
    let path = dir.path().join("a");
    fs::write(&path, "alpha").unwrap();
    let before = store.digest_path(&path).unwrap();
    assert!(store.unchanged(&path, &before).unwrap());
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "ALPHA").unwrap();
    fs::File::open(&path).unwrap().set_modified(mtime).unwrap();
    assert!(!store.unchanged(&path, &before).unwrap());
    fs::remove_file(&path).unwrap();
    assert!(!store.unchanged(&path, &before).unwrap());
}

#[test]
fn touching_is_no_change() {
    let Home { store, dir } = &home();
    write_files(dir.path(), &[("d/a", "alpha")]);
    let path = dir.path().join("d");
    let before = store.digest_path(&path).unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    fs::File::open(path.join("a")).unwrap().set_modified(later).unwrap();
    assert!(store.unchanged(&path, &before).unwrap());
    fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!store.unchanged(&path, &before).unwrap(), "of a folder's files the exec bit counts");
    fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o644)).unwrap();
    write_files(&path, &[("b", "new")]);
    assert!(!store.unchanged(&path, &before).unwrap());
}
