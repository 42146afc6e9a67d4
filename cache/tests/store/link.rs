use std::fs;
use std::os::unix::fs::PermissionsExt;

use hyper_flow_cache::{StoreError, remove_tree};

use crate::common::*;

const FILES: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("sub/deep/c*", "gamma")];
const PLAIN: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("sub/deep/c", "gamma")];

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn inputs_are_whole_and_read_only() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in/port");
    store.link_into(&record.artifact, &input).unwrap();
    assert_eq!(content_of(&input), contents(&PLAIN));
    assert_eq!(mode(&input.join("a")), 0o444);
    assert_eq!(mode(&input.join("sub/deep/c")), 0o555);
    assert_eq!(mode(&input.join("sub")), 0o555);
    assert_eq!(store.check_linked(&record.artifact, &input).unwrap(), [""; 0]);
    remove_tree(&input).unwrap();
    assert!(!input.exists());
}

#[test]
fn another_file_system_gets_copies() {
    let Home { store, .. } = &home();
    let Some(shm) = elsewhere(store) else { return };
    let record = publish(store, "n", &FILES);
    let input = shm.path().join("in");
    store.link_into(&record.artifact, &input).unwrap();
    assert_eq!(content_of(&input), contents(&PLAIN));
    assert_eq!(mode(&input.join("a")), 0o444);
    overwrite(&input.join("a"), b"ALPHA");
    assert_eq!(store.check_linked(&record.artifact, &input).unwrap(), ["a"]);
    assert!(store.lookup(&key("n")).unwrap().is_some(), "a copy is not the object");
    remove_tree(&input).unwrap();
}

#[test]
fn a_full_directory_is_not_filled() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    write_files(dir.path(), &[("in/mine", "x")]);
    let input = dir.path().join("in");
    assert!(matches!(store.link_into(&record.artifact, &input), Err(StoreError::Io { .. })));
    assert_eq!(content_of(&input), contents(&[("mine", "x")]));
}

#[test]
fn an_altered_input_is_named_and_never_served_again() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    store.link_into(&record.artifact, &input).unwrap();
    overwrite(&input.join("sub/b"), b"BETA");
    assert_eq!(store.check_linked(&record.artifact, &input).unwrap(), ["sub/b"]);
    let served = store.lookup(&key("n")).unwrap().map(|hit| store.read(&hit.artifact, "sub/b").unwrap());
    assert!(served.is_none_or(|bytes| bytes == b"beta"));
    publish(store, "n", &FILES);
    assert_eq!(store.read(&record.artifact, "sub/b").unwrap(), b"beta");
}

#[test]
fn a_removed_or_replaced_input_is_named_but_the_object_stays() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    store.link_into(&record.artifact, &input).unwrap();
    for dir in [&input, &input.join("sub")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::remove_file(input.join("a")).unwrap();
    fs::remove_file(input.join("sub/b")).unwrap();
    fs::write(input.join("sub/b"), "BETA").unwrap();
    fs::write(input.join("added"), "no harm").unwrap();
    assert_eq!(store.check_linked(&record.artifact, &input).unwrap(), ["a", "sub/b"]);
    assert!(store.lookup(&key("n")).unwrap().is_some());
}

#[test]
fn a_touched_input_is_not_altered() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    store.link_into(&record.artifact, &input).unwrap();
    overwrite(&input.join("a"), b"alpha");
    assert_eq!(store.check_linked(&record.artifact, &input).unwrap(), [""; 0]);
    assert!(store.lookup(&key("n")).unwrap().is_some());
}
