use std::fs;
use std::os::unix::fs::PermissionsExt;

use hyper_flow_cache::{Reader, StoreError, remove_tree};

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
    let linked = store.link_into(&record.artifact, &input, Reader::Known).unwrap();
    assert_eq!(content_of(&input), contents(&PLAIN));
    assert_eq!(mode(&input.join("a")), 0o444);
    assert_eq!(mode(&input.join("sub/deep/c")), 0o555);
    assert_eq!(mode(&input.join("sub")), 0o555);
    assert_eq!(store.check_linked(&linked).unwrap(), [""; 0]);
    remove_tree(&input).unwrap();
    assert!(!input.exists());
}

#[test]
fn another_file_system_gets_copies() {
    let Home { store, .. } = &home();
    let Some(shm) = elsewhere(store) else { return };
    let record = publish(store, "n", &FILES);
    let input = shm.path().join("in");
    let linked = store.link_into(&record.artifact, &input, Reader::Known).unwrap();
    assert_eq!(content_of(&input), contents(&PLAIN));
    assert_eq!(mode(&input.join("a")), 0o444);
    overwrite(&input.join("a"), b"ALPHA");
    assert_eq!(store.check_linked(&linked).unwrap(), ["a"]);
    assert!(store.lookup(&key("n")).unwrap().is_some(), "a copy is not the object");
    remove_tree(&input).unwrap();
}

#[test]
fn a_full_directory_is_not_filled() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    write_files(dir.path(), &[("in/mine", "x")]);
    let input = dir.path().join("in");
    assert!(matches!(store.link_into(&record.artifact, &input, Reader::Known), Err(StoreError::Io { .. })));
    assert_eq!(content_of(&input), contents(&[("mine", "x")]));
}

#[test]
fn an_altered_input_is_named_and_never_served_again() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    let linked = store.link_into(&record.artifact, &input, Reader::Known).unwrap();
    overwrite(&input.join("sub/b"), b"BETA");
    assert_eq!(store.check_linked(&linked).unwrap(), ["sub/b"]);
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
    let linked = store.link_into(&record.artifact, &input, Reader::Known).unwrap();
    for dir in [&input, &input.join("sub")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::remove_file(input.join("a")).unwrap();
    fs::remove_file(input.join("sub/b")).unwrap();
    fs::write(input.join("sub/b"), "BETA").unwrap();
    fs::write(input.join("added"), "no harm").unwrap();
    assert_eq!(store.check_linked(&linked).unwrap(), ["a", "sub/b"]);
    assert!(store.lookup(&key("n")).unwrap().is_some());
}

#[test]
fn a_touched_input_is_not_altered() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    let linked = store.link_into(&record.artifact, &input, Reader::Known).unwrap();
    overwrite(&input.join("a"), b"alpha");
    assert_eq!(store.check_linked(&linked).unwrap(), [""; 0]);
    assert!(store.lookup(&key("n")).unwrap().is_some());
}

#[test]
fn an_input_that_is_altered_slyly_is_named_and_never_served_again() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let (culprit, beside) = (staging.path().join("culprit"), staging.path().join("beside"));
    let [culprit, beside] =
        [culprit, beside].map(|dir| store.link_into(&record.artifact, &dir, Reader::Known).unwrap());
    let shared = inode(&culprit.path().join("a")) == inode(&object(store, "alpha"));
    overwrite_slyly(&culprit.path().join("a"), b"ALPHA");
    assert_eq!(store.check_linked(&culprit).unwrap(), ["a"]);
    let expected: &[&str] = if shared { &["a"] } else { &[] };
    assert_eq!(store.check_linked(&beside).unwrap(), expected, "who read another name of it is told, too");
    assert_eq!(store.lookup(&key("n")).unwrap().is_none(), shared);
}

#[test]
fn what_another_job_is_given_alters_nothing() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let first = store.link_into(&record.artifact, &staging.path().join("first"), Reader::Known).unwrap();
    store.link_into(&record.artifact, &staging.path().join("second"), Reader::Known).unwrap();
    assert_eq!(store.check_linked(&first).unwrap(), [""; 0]);
    assert!(store.lookup(&key("n")).unwrap().is_some());
}

#[test]
fn any_program_of_root_gets_files_of_its_own() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let staging = store.staging().unwrap();
    let own = |name: &str, limit: u64| {
        let input = staging.path().join(name);
        store.link_into(&record.artifact, &input, Reader::Any { limit }).unwrap();
        assert_eq!(content_of(&input), contents(&PLAIN));
        inode(&input.join("a")) != inode(&object(store, "alpha"))
    };
    let cost = record.bytes + 3 * (32 << 10);
    let shares_blocks = own("too-large", cost - 1);
    if rustix::process::geteuid().is_root() {
        assert!(own("small", cost));
    } else {
        assert_eq!(own("small", cost), shares_blocks, "modes keep it from writing");
    }
}

fn inode(path: &std::path::Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap())
}
