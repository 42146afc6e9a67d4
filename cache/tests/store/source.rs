use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use hyper_flow_cache::{Digest, Snapshot, SourceKind, StoreError};

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
    assert!(store.untouched(&path, &before).unwrap());
    overwrite_slyly(&path, b"ALPHA");
    assert!(!store.untouched(&path, &before).unwrap());
    assert!(store.digest_again(&path, &before).unwrap().is_none());
    fs::remove_file(&path).unwrap();
    assert!(!store.untouched(&path, &before).unwrap());
    assert!(store.digest_again(&path, &before).unwrap().is_none());
}

#[test]
fn what_changed_and_changed_back_was_touched() {
    let Home { store, dir } = &home();
    write_files(dir.path(), &[("d/a", "alpha"), ("d/sub/b", "beta")]);
    let (file, folder) = (dir.path().join("d/a"), dir.path().join("d"));
    let digest = |path| store.digest_path(path).unwrap();
    let disturb: [&dyn Fn(); 4] = [
        &|| fs::write(&file, "ALPHA").and_then(|()| fs::write(&file, "alpha")).unwrap(),
        &|| fs::rename(&file, dir.path().join("x")).and_then(|()| fs::rename(dir.path().join("x"), &file)).unwrap(),
        &|| fs::write(folder.join("sub/c"), "").and_then(|()| fs::remove_file(folder.join("sub/c"))).unwrap(),
        &|| overwrite_slyly(&file, b"alpha"),
    ];
    for (index, disturb) in disturb.iter().enumerate() {
        let before = digest(&folder);
        disturb();
        assert!(!store.untouched(&folder, &before).unwrap(), "{index}");
        let again = store.digest_again(&folder, &before).unwrap().unwrap();
        assert_eq!(again.digest, before.digest);
        assert!(store.untouched(&folder, &again).unwrap(), "from then on it is as it was, {index}");
    }
}

#[test]
fn of_a_folder_exec_bits_and_names_count() {
    let Home { store, dir } = &home();
    write_files(dir.path(), &[("d/a", "alpha")]);
    let path = dir.path().join("d");
    let before = store.digest_path(&path).unwrap();
    fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(store.digest_again(&path, &before).unwrap().is_none());
    fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(store.digest_again(&path, &before).unwrap().is_some());
    write_files(&path, &[("b", "new")]);
    assert!(store.digest_again(&path, &before).unwrap().is_none());
}

const LIMIT: u64 = 1 << 20;
const PER_FILE: u64 = 32 << 10;

#[test]
fn a_snapshot_is_the_source_as_it_was_digested() {
    let Home { store, dir } = &home();
    let at = |name: &str| dir.path().join(name);
    write_files(dir.path(), &[("d/run.sh*", "#!/bin/sh"), ("d/sub/a", "alpha"), ("file", "content")]);
    symlink("../../file", at("d/sub/link")).unwrap();
    for (name, files) in [
        ("d", &[("run.sh", "#!/bin/sh"), ("sub/a", "alpha"), ("sub/link", "content")][..]),
        ("file", &[("copy-of-file", "content")]),
    ] {
        let source = store.digest_path(&at(name)).unwrap();
        let copies = at(&format!("copies-of-{name}"));
        let copy = if name == "d" { copies.clone() } else { copies.join("copy-of-file") };
        assert_eq!(store.snapshot(&at(name), &source, &copy, LIMIT).unwrap(), Snapshot::Taken);
        assert_eq!(content_of(&copies), contents(files));
        assert_eq!(store.digest_path(&copy).unwrap().digest, source.digest);
    }
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o700;
    assert_eq!((mode("copies-of-d/run.sh"), mode("copies-of-d/sub/a")), (0o700, 0o600));
    fs::write(at("copies-of-d/sub/link"), "altered").unwrap();
    assert_eq!(fs::read(at("file")).unwrap(), b"content", "a copy is nobody's but its reader's");
}

#[test]
fn a_snapshot_of_what_changed_is_none() {
    let Home { store, dir } = &home();
    let (source, copy) = (dir.path().join("d"), dir.path().join("copy"));
    write_files(&source, &[("a", "alpha"), ("b", "beta")]);
    let digest = store.digest_path(&source).unwrap();
    overwrite_slyly(&source.join("b"), b"BETA");
    assert_eq!(store.snapshot(&source, &digest, &copy, LIMIT).unwrap(), Snapshot::Changed);
    fs::remove_dir_all(&source).unwrap();
    assert_eq!(store.snapshot(&source, &digest, &copy, LIMIT).unwrap(), Snapshot::Changed);
    assert!(!copy.exists());
}

#[test]
fn a_snapshot_that_would_take_too_much_room_is_none() {
    let Home { store, dir } = &home();
    let (source, copy) = (dir.path().join("d"), dir.path().join("copy"));
    write_files(&source, &[("a", "alpha"), ("b", "beta")]);
    let digest = store.digest_path(&source).unwrap();
    assert_eq!(store.snapshot(&source, &digest, &copy, 9 + 2 * PER_FILE).unwrap(), Snapshot::Taken);
    fs::remove_dir_all(&copy).unwrap();
    match store.snapshot(&source, &digest, &copy, 8 + 2 * PER_FILE).unwrap() {
        Snapshot::TooLarge => assert!(!copy.exists()),
        // Where blocks are shared nothing is too large.
        taken => assert_eq!(taken, Snapshot::Taken),
    }
}

#[test]
fn a_folder_that_holds_the_store_is_refused() {
    let Home { store, dir } = &home();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(dir.path(), elsewhere.path().join("link")).unwrap();
    for folder in [dir.path(), store.root(), elsewhere.path()] {
        let refused = store.digest_path(folder);
        assert!(matches!(refused, Err(StoreError::HoldsStore { .. })), "{refused:?}");
    }
    // What is inside the store, and another store, are folders like any other.
    fs::create_dir_all(store.runs().join("1")).unwrap();
    store.digest_path(&store.runs()).unwrap();
    home().store.digest_path(store.root()).unwrap();
}

#[test]
fn empty_directories_are_in_a_snapshot_and_not_in_a_digest() {
    let Home { store, dir } = &home();
    let (source, copy) = (dir.path().join("source"), dir.path().join("copy"));
    write_files(&source, &[("a", "x")]);
    let without = store.digest_path(&source).unwrap().digest;
    fs::create_dir_all(source.join("empty/deeper")).unwrap();
    let digest = store.digest_path(&source).unwrap();
    assert_eq!(digest.digest, without);
    assert_eq!(store.snapshot(&source, &digest, &copy, 1 << 20).unwrap(), Snapshot::Taken);
    assert!(copy.join("empty/deeper").is_dir());
}
