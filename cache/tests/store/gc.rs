use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hyper_flow_cache::{Digest, GcPolicy, GcReport, Key, Reader, Store, StoreError};

use crate::common::*;

fn keep(names: &[&str]) -> GcPolicy {
    GcPolicy { keep: names.iter().map(|name| key(name)).collect(), ..GcPolicy::default() }
}

fn cached(store: &Store, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| store.lookup(&key(name)).unwrap().is_some()).collect()
}

#[test]
fn what_is_kept_stays_whole_and_the_rest_goes() {
    let Home { store, .. } = &home();
    publish(store, "keep", &[("a", "shared"), ("b", "kept")]);
    publish(store, "drop", &[("a", "shared"), ("b", "dropped")]);
    let report = store.gc(&keep(&["keep"])).unwrap();
    assert_eq!(report.records, [key("drop")]);
    assert_eq!((report.kept, report.objects, report.trees, report.preimages), (1, 1, 1, 1));
    assert_eq!(cached(store, &["keep", "drop"]), [true, false]);
    assert!(!object(store, "dropped").exists());
    assert_eq!(store.preimage(&key("drop")).unwrap(), None);
    assert_eq!(store.verify(false).unwrap().problems, []);
    let again = store.gc(&keep(&["keep"])).unwrap();
    assert_eq!(again, GcReport { kept: 1, ..GcReport::default() });
}

#[test]
fn a_dry_run_says_the_same_and_removes_nothing() {
    let Home { store, .. } = &home();
    publish(store, "keep", &[("a", "1")]);
    publish(store, "drop", &[("a", "2")]);
    drop(store.staging().unwrap().keep());
    let before = content_of_all(store);
    let planned = store.gc(&GcPolicy { dry_run: true, ..keep(&["keep"]) }).unwrap();
    assert_eq!(content_of_all(store), before);
    assert_eq!(store.gc(&keep(&["keep"])).unwrap(), planned);
}

fn content_of_all(store: &Store) -> Vec<u64> {
    let all = store.du().unwrap();
    [all.objects, all.trees, all.records, all.preimages, all.tmp].map(|area| area.files).to_vec()
}

fn set_age(store: &Store, name: &str, seconds: u64) {
    let record = fs::File::open(filed(store, "records", key(name))).unwrap();
    record.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_was_used_lately_is_kept() {
    let Home { store, .. } = &home();
    for (name, age) in [("new", 10), ("old", 5000), ("touched", 5000), ("named", 5000)] {
        publish(store, name, &[("a", name)]);
        set_age(store, name, age);
    }
    store.touch(&[key("touched")]);
    let lately = Some(Duration::from_secs(1000));
    let report = store.gc(&GcPolicy { keep_newer_than: lately, ..keep(&["named"]) }).unwrap();
    assert_eq!(report.records, [key("old")]);
    assert_eq!(cached(store, &["new", "touched", "named"]), [true; 3]);
}

#[test]
fn the_least_recently_used_goes_when_there_is_too_much() {
    let Home { store, .. } = &home();
    for (name, age) in [("a", 400), ("b", 300), ("c", 200), ("d", 100)] {
        publish(store, name, &[("own", &name.repeat(10)), ("shared", "0123456789")]);
        set_age(store, name, age);
    }
    let max = |bytes| GcPolicy { max_bytes: Some(bytes), ..keep(&["a"]) };
    // `a` and the shared file take 20 bytes, so one more fits.
    let report = store.gc(&max(39)).unwrap();
    assert_eq!(BTreeSet::from_iter(report.records), BTreeSet::from([key("b"), key("c")]));
    assert_eq!(cached(store, &["a", "d"]), [true; 2]);
    store.gc(&max(0)).unwrap();
    assert_eq!(cached(store, &["a", "d"]), [true, false]);
}

#[test]
fn leftovers_go() {
    let Home { store, dir } = &home();
    let record = publish(store, "done", &[("a", "x")]);
    publish(store, "spoilt", &[("a", "y")]);
    overwrite(&object(store, "y"), b"Y");
    assert_eq!(store.lookup(&key("spoilt")).unwrap(), None);
    let staged = store.staging().unwrap().keep();
    store.link_into(&record.artifact, &staged.join("in"), Reader::Known).unwrap();
    write_files(&store.scratch(&key("done")).unwrap(), &[("checkpoint", "1")]);
    write_files(&store.scratch(&key("unfinished")).unwrap(), &[("checkpoint", "2")]);
    let out = dir.path().join("out");
    store.export(&record.artifact, &out, &Default::default()).unwrap();
    fs::remove_dir_all(&out).unwrap();
    std::mem::forget(store.try_lock_key(&key("killed"), "me").unwrap());

    let report = store.gc(&keep(&["done"])).unwrap();
    assert_eq!((count(store, "tmp"), count(store, "exports")), (0, 0));
    assert_eq!(count(store, "damaged"), 1, "young enough to be looked at");
    assert_eq!(report.checkpoints, [key("done")]);

    let old = GcPolicy { leftovers_older_than: Duration::ZERO, ..keep(&["done"]) };
    store.gc(&old).unwrap();
    assert_eq!((count(store, "damaged"), count(store, "scratch")), (0, 1));
    assert_eq!(cached(store, &["done"]), [true]);
}

#[test]
fn checkpoints_have_an_age_of_their_own_and_may_be_spared() {
    let Home { store, .. } = &home();
    publish(store, "forced", &[("a", "x")]);
    for name in ["last", "other", "forced"] {
        write_files(&store.scratch(&key(name)).unwrap(), &[("checkpoint", name)]);
    }
    let spared = ["last", "forced"].map(key);
    let policy = GcPolicy {
        keep_checkpoints: spared.into(),
        leftovers_older_than: Duration::ZERO,
        keep_newer_than: Some(Duration::ZERO),
        ..keep(&["forced"])
    };
    assert_eq!(store.gc(&policy).unwrap().checkpoints, []);
    let old = GcPolicy { checkpoints_older_than: Duration::ZERO, ..policy };
    let planned = store.gc(&GcPolicy { dry_run: true, ..old.clone() }).unwrap();
    assert_eq!((planned.checkpoints.as_slice(), count(store, "scratch")), ([key("other")].as_slice(), 3));
    assert_eq!(store.gc(&old).unwrap(), planned);
    assert!(spared.iter().all(|key| store.has_scratch(key).unwrap()));
}

#[test]
fn a_time_that_has_not_come_keeps_nothing_that_the_caller_knows_to_be_old() {
    let Home { store, .. } = &home();
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    for name in ["known", "unknown"] {
        publish(store, name, &[("a", name)]);
        let record = fs::File::open(filed(store, "records", key(name))).unwrap();
        record.set_modified(now + 1000 * day).unwrap();
    }
    let lately = GcPolicy { keep_newer_than: Some(30 * day), ..GcPolicy::default() };
    let told = GcPolicy { used: [(key("known"), now - 20 * day)].into(), ..lately.clone() };
    store.gc(&told).unwrap();
    assert_eq!(cached(store, &["known", "unknown"]), [true, true]);
    let told = GcPolicy { used: [(key("known"), now - 40 * day)].into(), ..lately };
    store.gc(&told).unwrap();
    assert_eq!(cached(store, &["known", "unknown"]), [false, true]);
    store.gc(&GcPolicy { keep_newer_than: Some(Duration::ZERO), ..GcPolicy::default() }).unwrap();
    assert_eq!(cached(store, &["unknown"]), [false]);
}

#[test]
fn what_is_pinned_survives_every_policy() {
    let Home { store, .. } = &home();
    for name in ["a", "b"] {
        publish(store, name, &[("file", name)]);
    }
    store.pin(&pin("good", "b")).unwrap();
    store.pin(&pin("good", "a")).unwrap();
    assert_eq!(store.pins().unwrap(), [pin("good", "a")], "the last of a name counts");
    store.gc(&GcPolicy { max_bytes: Some(0), ..GcPolicy::default() }).unwrap();
    assert_eq!(cached(store, &["a", "b"]), [true, false]);

    let file = store.root().join("pins/good.json");
    overwrite(&file, b"{");
    let refused = store.gc(&GcPolicy::default()).unwrap_err();
    assert!(matches!(&refused, StoreError::NoPin { path, .. } if *path == file), "{refused}");
    assert_eq!(cached(store, &["a"]), [true]);
    assert_eq!(store.verify(false).unwrap().problems.len(), 1);

    store.pin(&pin("good", "a")).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let hex = key("a").to_string();
    let at = bytes.windows(64).position(|text| text == hex.as_bytes()).unwrap();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    overwrite(&file, &bytes);
    store.gc(&GcPolicy::default()).unwrap_err();
    assert_eq!((store.verify(true).unwrap().problems.len(), store.pins().unwrap().len()), (1, 0), "by who says so");
    store.pin(&pin("good", "a")).unwrap();
    store.unpin("good").unwrap();
    store.unpin("good").unwrap();
    store.gc(&GcPolicy::default()).unwrap();
    assert_eq!(cached(store, &["a"]), [false]);
}

#[test]
fn a_directory_that_somebody_writes_into_is_left_and_told() {
    let Home { store, .. } = &home();
    let staged = store.staging().unwrap().keep();
    let (stop, started) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0.. {
                let dir = staged.join(format!("{}", i % 100));
                drop(fs::create_dir_all(&dir));
                drop(fs::write(dir.join("file"), ""));
                started.store(true, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        while !started.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        // It may be quick enough a few times.
        let deadline = Instant::now() + Duration::from_secs(60);
        let left = || loop {
            match store.gc(&GcPolicy::default()) {
                Ok(report) if report.written == 0 && Instant::now() < deadline => {}
                collected => return collected,
            }
        };
        let collected = left();
        stop.store(true, Ordering::SeqCst);
        assert_eq!(collected.unwrap().written, 1);
    });
    store.gc(&GcPolicy::default()).unwrap();
    assert_eq!(count(store, "tmp"), 0);
}

#[test]
fn what_the_caller_remembers_stays_counts_and_may_be_lost() {
    let Home { store, .. } = &home();
    let question = Digest::of(b"what can you do?");
    assert_eq!(store.memo(&question).unwrap(), None);
    store.set_memo(&question, b"little").unwrap();
    store.set_memo(&question, b"all").unwrap();
    store.gc(&GcPolicy::default()).unwrap();
    assert_eq!(store.memo(&question).unwrap().unwrap(), b"all");
    let usage = store.du().unwrap();
    assert_eq!((usage.memos.files, usage.memos.bytes), (1, 68), "the answer and its digest");
    fs::remove_dir_all(store.root().join("memos")).unwrap();
    assert_eq!(store.memo(&question).unwrap(), None);
}

#[test]
fn collection_waits_for_nobody_and_takes_nothing_in_use() {
    let Home { store, .. } = &home();
    publish(store, "n", &[("a", "x")]);
    let run = store.lock_shared().unwrap();
    store.gc(&GcPolicy::default()).unwrap_err();
    assert_eq!(cached(store, &["n"]), [true]);
    drop(run);
    store.gc(&GcPolicy::default()).unwrap();
    assert_eq!(cached(store, &["n"]), [false]);
    let none: [Key; 0] = [];
    assert_eq!(store.last_used().unwrap().into_keys().collect::<Vec<_>>(), none);
}

#[test]
fn a_store_may_be_created_while_another_who_created_it_collects() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let root = dir.path().join(round.to_string());
        let create_and_collect = || match Store::open(&root).unwrap().gc(&GcPolicy::default()) {
            Ok(_) | Err(StoreError::Busy { .. }) => {}
            Err(error) => panic!("{error}"),
        };
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(create_and_collect))));
    }
}
