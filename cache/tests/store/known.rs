//! What is remembered of many records at once.

use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hyper_flow_cache::{Digest, Record, Store};

use crate::common::*;

/// More than are read one by one.
const MANY: usize = 150;

fn name(at: usize) -> String {
    format!("n{at}")
}

/// A store with so many records, all old enough to be remembered, that a run has remembered.
fn remembered() -> Home {
    let home = home();
    for at in 0..MANY {
        publish(&home.store, &name(at), &[("file", &name(at))]);
    }
    // ctime is the system's: only waiting makes it old.
    std::thread::sleep(Duration::from_millis(3100));
    assert_eq!(found(&home.store).len(), MANY);
    home.store.remember_records();
    assert!(memo(&home.store).exists());
    home
}

fn memo(store: &Store) -> PathBuf {
    store.root().join("memos").join(Digest::of(b"what records and manifests say, 1").to_string())
}

fn again(store: &Store) -> Store {
    Store::open(store.root()).unwrap()
}

/// All that a new process finds: the names of the nodes by what their records say.
fn found(store: &Store) -> Vec<Record> {
    (0..MANY).filter_map(|at| store.lookup(&key(&name(at))).unwrap()).collect()
}

fn record_file(store: &Store, at: usize) -> PathBuf {
    filed(store, "records", key(&name(at)))
}

#[test]
fn what_is_remembered_is_what_the_files_say_and_is_no_longer_read() {
    let home = remembered();
    let (plain, quick) = (found(&again(&home.store).paranoid()), found(&again(&home.store)));
    assert_eq!(plain.len(), MANY);
    assert_eq!(quick, plain);
    // A memo of another content shows that it is what is believed.
    let store = again(&home.store);
    let changed = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains(r#"{"by":"n149"}"#));
        let at = bytes.windows(13).position(|part| part == br#"{"by":"n149"}"#).unwrap();
        let mut bytes = bytes;
        bytes[at + 7] = b'm';
        bytes
    };
    let question = Digest::of(b"what records and manifests say, 1");
    store.set_memo(&question, &changed(store.memo(&question).unwrap().unwrap())).unwrap();
    assert_eq!(found(&again(&store))[149].meta.value()["by"], "m149");
    assert_eq!(found(&again(&store).paranoid())[149].meta.value()["by"], "n149");
}

#[test]
fn a_memo_that_is_lost_damaged_or_cut_off_costs_only_time() {
    let home = remembered();
    let plain = found(&home.store);
    let bytes = fs::read(memo(&home.store)).unwrap();
    for broken in [&bytes[..bytes.len() / 2], b"", b"nothing of the kind"] {
        fs::remove_file(memo(&home.store)).unwrap();
        fs::write(memo(&home.store), broken).unwrap();
        assert_eq!(found(&again(&home.store)), plain);
    }
    // A whole one that says nothing that can be understood.
    let question = Digest::of(b"what records and manifests say, 1");
    for odd in [&b"short"[..], &[0xff; 500]] {
        home.store.set_memo(&question, odd).unwrap();
        assert_eq!(found(&again(&home.store)), plain);
    }
    fs::remove_file(memo(&home.store)).unwrap();
    assert_eq!(found(&again(&home.store)), plain);
}

#[test]
fn a_record_that_changed_or_is_gone_is_no_longer_believed() {
    let home = remembered();
    let store = again(&home.store);
    let plain = found(&store);
    // One is removed, one is altered and looks as old as before, one has lost its manifest, one its object.
    fs::remove_file(record_file(&store, 100)).unwrap();
    let path = record_file(&store, 110);
    overwrite_slyly(&path, &[fs::read(&path).unwrap(), b" x".to_vec()].concat());
    fs::remove_file(filed(&store, "trees", plain[120].artifact)).unwrap();
    fs::remove_file(object(&store, &name(130))).unwrap();
    let keys: Vec<_> = found(&again(&store)).iter().map(|record| record.key).collect();
    let rest = plain.iter().enumerate().filter(|(at, _)| ![100, 110, 120, 130].contains(at));
    assert_eq!(keys, rest.map(|(_, record)| record.key).collect::<Vec<_>>());
}

#[test]
fn what_is_made_anew_counts_at_once() {
    let home = remembered();
    let staging = home.store.staging().unwrap();
    write_files(staging.path(), &[("file", "another")]);
    let made = home.store.publish_anew(&key("n149"), &preimage("n149"), staging.path(), "again".into()).unwrap();
    assert_eq!(found(&again(&home.store))[149], made);
}

#[test]
fn what_is_young_is_not_remembered() {
    let home = home();
    for at in 0..MANY {
        publish(&home.store, &name(at), &[("file", &name(at))]);
    }
    assert_eq!(found(&home.store).len(), MANY);
    home.store.remember_records();
    assert!(!memo(&home.store).exists());
}

/// The time at which keys were used is noted once an hour, if they are many and the same.
#[test]
fn the_use_of_many_keys_is_noted_again_when_the_note_is_old_or_lost() {
    let home = home();
    let keys: Vec<_> = (0..MANY).map(|at| key(&name(at))).collect();
    (0..MANY).for_each(|at| drop(publish(&home.store, &name(at), &[("file", &name(at))])));
    home.store.touch(&keys);
    let noted = |store: &Store| store.last_used().unwrap()[&keys[0]];
    let first = noted(&home.store);
    std::thread::sleep(Duration::from_millis(20));
    home.store.touch(&keys);
    assert_eq!(noted(&home.store), first, "it stands");
    home.store.touch(&keys[1..]);
    home.store.touch(&keys);
    let second = noted(&home.store);
    assert!(second > first, "others were noted meanwhile");
    let memo =
        home.store.root().join("memos").join(Digest::of(b"the keys that were last noted as used, 1").to_string());
    let old = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3700));
    File::open(&memo).unwrap().set_times(old).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    home.store.touch(&keys);
    let third = noted(&home.store);
    assert!(third > second, "an hour later");
    fs::remove_dir_all(home.store.root().join("index")).unwrap();
    home.store.touch(&keys);
    assert!(noted(&home.store) > third, "the index was lost");
}
