use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hyper_flow_cache::{RebuildReport, Store};

use crate::common::*;

#[test]
fn use_is_noted() {
    let Home { store, .. } = &home();
    publish(store, "a", &[("x", "1")]);
    publish(store, "b", &[("x", "2")]);
    let old = SystemTime::now() - Duration::from_secs(1000);
    for name in ["a", "b"] {
        let record = fs::File::open(filed(store, "records", key(name))).unwrap();
        record.set_modified(old).unwrap();
    }
    store.touch(&[key("a"), key("unknown")]);
    let used = store.last_used().unwrap();
    assert_eq!(used.len(), 2);
    assert!(used[&key("a")] > old + Duration::from_secs(900));
    assert_eq!(used[&key("b")], old);
}

#[test]
fn a_time_that_has_not_come_is_no_use_but_for_want_of_another() {
    let Home { store, .. } = &home();
    let (now, day) = (SystemTime::now(), Duration::from_secs(86_400));
    for (name, time) in [("ahead", now + 1000 * day), ("behind", now - 1000 * day)] {
        publish(store, name, &[("x", name)]);
        fs::File::open(filed(store, "records", key(name))).unwrap().set_modified(time).unwrap();
    }
    let used = store.last_used().unwrap();
    assert!(used[&key("ahead")] > now && used[&key("behind")] < now - 999 * day);
    store.touch(&[key("ahead"), key("behind")]);
    let used = store.last_used().unwrap();
    assert!(used.values().all(|time| *time >= now - day && *time < now + day), "{used:?}");
}

#[test]
fn a_rebuild_finds_everything_again() {
    let Home { store, .. } = &home();
    publish(store, "a", &[("x", "1")]);
    let before = store.last_used().unwrap();
    assert_eq!(store.rebuild().unwrap(), RebuildReport { records: 1 });
    assert_eq!(store.last_used().unwrap(), before);
}

/// A store with an index of several batches.
fn indexed() -> Home {
    let home = home();
    for i in 0..40 {
        let keys: Vec<_> = (0..50).map(|j| key(&format!("{i} {j}"))).collect();
        home.store.touch(&keys);
    }
    home
}

/// Everything the index is for works, whatever is left of it.
fn assert_works(store: &Store, what: &str) {
    publish(store, "a", &[("x", "1")]);
    let old = SystemTime::now() - Duration::from_secs(1000);
    fs::File::open(filed(store, "records", key("a"))).unwrap().set_modified(old).unwrap();
    // Nobody waits long for an index that is in use, as it may be for a moment after it was closed.
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.last_used().unwrap()[&key("a")] < old + Duration::from_secs(900) {
        assert!(Instant::now() < deadline, "{what}");
        store.touch(&[key("a")]);
    }
}

type Spoil = fn(&[u8]) -> Vec<u8>;

/// Ways to spoil a file.
const SPOIL: [(&str, Spoil); 7] = [
    ("emptied", |_| Vec::new()),
    ("cut by one", |bytes| bytes[..bytes.len().saturating_sub(1)].to_vec()),
    ("halved", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("zeroed", |bytes| vec![0; bytes.len()]),
    ("noise", |bytes| bytes.iter().enumerate().map(|(i, b)| b ^ (i * 131) as u8).collect()),
    ("a bit flipped early", |bytes| flip(bytes, 20)),
    ("a bit flipped late", |bytes| flip(bytes, bytes.len() * 3 / 4)),
];

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 4);
    bytes
}

#[test]
fn a_damaged_index_is_replaced() {
    let Home { store, .. } = &indexed();
    let index = store.root().join("index");
    let sound: Vec<_> = files_of(&index).map(|path| (fs::read(&path).unwrap(), path)).collect();
    assert!(sound.len() >= 3, "conf, db and a snapshot");
    for (bytes, path) in &sound {
        for (how, spoil) in SPOIL {
            let what = format!("{} {how}", path.display());
            files_of(&index).for_each(|path| fs::remove_file(path).unwrap());
            sound.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
            fs::write(path, spoil(bytes)).unwrap();
            assert_works(store, &what);
        }
    }
}

fn files_of(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect::<Vec<_>>().into_iter()
}

#[test]
fn a_file_in_the_way_of_the_index_is_no_trouble() {
    let Home { store, .. } = &home();
    fs::write(store.root().join("index"), "a file where a directory should be").unwrap();
    assert_works(store, "a file");
}

#[test]
#[ignore = "a process that `two_processes_share_the_index` starts"]
fn toucher() {
    let store = told_store();
    for i in 0..10 {
        store.touch(&[key(&format!("n{i}"))]);
    }
}

#[test]
fn two_processes_share_the_index() {
    let Home { store, .. } = &home();
    let children: Vec<_> = (0..3).map(|_| spawn("index::toucher", store)).collect();
    thread::scope(|scope| {
        let readers: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (0..20).for_each(|_| drop(store.last_used().unwrap())))).collect();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(count(store, "damaged"), 0);
}

#[test]
fn a_remembered_source_is_believed_only_while_its_stamps_are() {
    let Home { store, dir } = &home();
    let path = dir.path().join("large");
    fs::write(&path, vec![7; 17 << 20]).unwrap();
    let old = SystemTime::now() - Duration::from_secs(1000);
    fs::File::open(&path).unwrap().set_modified(old).unwrap();
    // ctime cannot be set back, so this file is young, and must be read every time.
    let first = store.digest_path(&path).unwrap();
    fs::write(&path, vec![8; 17 << 20]).unwrap();
    fs::File::open(&path).unwrap().set_modified(old).unwrap();
    assert_ne!(store.digest_path(&path).unwrap().digest, first.digest);
}
