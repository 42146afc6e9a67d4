//! Any bytes in the place of any file: nothing panics, nothing false is handed out, and what is needed is made anew.
//!
//! `PROPTEST_CASES` sets how many are tried; without it a few seconds' worth.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{ExportOptions, GcPolicy, Reader, Store};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::*;

const FILES: [(&str, &str); 3] = [("a", "alpha"), ("deep/b*", "beta"), ("c", "")];

/// The number of cases that was asked for, or else this.
fn cases(bounded: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { ProptestConfig::default().cases } else { bounded };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What becomes of the bytes of a file.
#[derive(Debug, Clone)]
enum Change {
    /// These bytes instead.
    Foreign(Vec<u8>),
    /// A bit is another.
    Flip(Index, u8),
    /// It ends early.
    Cut(Index),
    /// A piece of it comes again, elsewhere.
    Splice(Index, Index, Index),
    /// JSON of another shape.
    Json(&'static str),
    /// Nested as deep as a file can be.
    Deep(&'static str, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let json = ["null", "{}", "[]", "0", "\"\"", "{\"record\":{},\"check\":\"\"}", "{\"dest\":\"/\",\"files\":[]}"];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Change::Foreign),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        any::<Index>().prop_map(Change::Cut),
        any::<(Index, Index, Index)>().prop_map(|(from, to, at)| Change::Splice(from, to, at)),
        prop::sample::select(json.to_vec()).prop_map(Change::Json),
        (prop::sample::select(vec!["[", "{\"a\":"]), 1..20_000_usize)
            .prop_map(|(open, depth)| Change::Deep(open, depth)),
    ]
}

impl Change {
    fn of(&self, before: &[u8]) -> Vec<u8> {
        let mut bytes = before.to_vec();
        let at = |index: &Index| index.index(before.len() + 1);
        match self {
            Change::Foreign(foreign) => bytes.clone_from(foreign),
            Change::Flip(index, bit) if !before.is_empty() => bytes[index.index(before.len())] ^= 1 << bit,
            Change::Flip(..) => {}
            Change::Cut(index) => bytes.truncate(at(index)),
            Change::Splice(from, to, place) => {
                let (from, to) = (at(from).min(at(to)), at(from).max(at(to)));
                bytes.splice(at(place)..at(place), before[from..to].to_vec());
            }
            Change::Json(text) => bytes = text.as_bytes().to_vec(),
            Change::Deep(open, depth) => bytes = open.repeat(*depth).into_bytes(),
        }
        bytes
    }
}

/// Every file of a store in which all that there can be is.
fn files_of(store: &Store) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![store.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| !path.ends_with("version"));
    files.sort();
    files
}

fn furnished(home: &Home) -> (Store, PathBuf) {
    let (store, dest) = (home.store.clone(), home.dir.path().join("exported"));
    let record = publish(&store, "n", &FILES);
    publish(&store, "m", &[("a", "alpha")]);
    store.pin(&pin("good", "n")).unwrap();
    store.set_memo(&record.artifact, b"{\"answer\": 1}").unwrap();
    store.export(&record.artifact, &dest, &ExportOptions::default()).unwrap();
    // An old process: nothing is remembered of the files.
    (Store::open(store.root()).unwrap(), dest)
}

/// Everything that reads the store. What it gives is right, if it gives something.
fn read_all(store: &Store, dest: &Path) {
    let whole = contents(&FILES.map(|(name, content)| (name.trim_end_matches('*'), content)));
    if let Some(hit) = store.lookup(&key("n")).unwrap() {
        let staging = store.staging().unwrap();
        let input = staging.path().join("in");
        if store.link_into(&hit.artifact, &input, Reader::Known).is_ok() {
            assert_eq!(content_of(&input), whole);
        }
        let forced = ExportOptions { force: true, ..ExportOptions::default() };
        if store.export(&hit.artifact, dest, &forced).is_ok() {
            assert_eq!(content_of(dest), whole);
        }
        assert!(
            store.read(&hit.artifact, "a").is_ok_and(|read| read == b"alpha")
                || store.lookup(&key("n")).unwrap().is_none()
        );
    }
    assert!(store.preimage(&key("n")).unwrap().is_none_or(|bytes| bytes == preimage("n")));
    let _ = (store.record(&key("n")).unwrap(), store.pins().is_ok(), store.last_used().unwrap(), store.du().unwrap());
    let found = store.verify(false).unwrap();
    store.verify(true).unwrap();
    assert_eq!(store.verify(false).unwrap().problems, [], "after {:?}", found.problems);
    store.rebuild().unwrap();
    store.gc(&GcPolicy { keep: [key("n")].into(), ..GcPolicy::default() }).unwrap();
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_bytes_in_any_file_are_noticed(changes in prop::collection::vec((any::<Index>(), change(), any::<bool>()), 1..4)) {
        let home = home();
        let (store, dest) = furnished(&home);
        let files = files_of(&store);
        for (which, change, sly) in &changes {
            let path = which.get(&files);
            let bytes = change.of(&fs::read(path).unwrap());
            if *sly { overwrite_slyly(path, &bytes) } else { overwrite(path, &bytes) }
        }
        read_all(&store, &dest);
        publish(&store, "n", &FILES);
        let record = store.lookup(&key("n")).unwrap().expect("what is made anew is there");
        prop_assert_eq!(store.read(&record.artifact, "deep/b").unwrap(), b"beta");
        prop_assert_eq!(store.verify(false).unwrap().problems, []);
    }

    #[test]
    fn any_version_is_this_one_or_refused(change in change()) {
        let home = home();
        let version = home.store.root().join("version");
        let before = fs::read(&version).unwrap();
        let bytes = change.of(&before);
        overwrite(&version, &bytes);
        let opened = Store::open(home.store.root());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        prop_assert!(opened.is_err() || text(&bytes) == text(&before));
    }
}

/// What is no file, and what its owner may not read, where any file of a store is. (Root may read everything.)
#[test]
fn what_is_no_file_or_shut_is_never_waited_for() {
    let ways: [fn(&Path); 3] = [
        |path| rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap(),
        |path| std::os::unix::fs::symlink("nowhere", path).unwrap(),
        |path| {
            fs::write(path, b"").unwrap();
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        },
    ];
    for put in ways {
        for at in 0.. {
            let home = home();
            let (store, dest) = furnished(&home);
            let Some(path) = files_of(&store).get(at).cloned() else { break };
            fs::remove_file(&path).unwrap();
            put(&path);
            in_time(&path, move || read_all(&store, &dest));
        }
        let home = home();
        let root = home.store.root().to_owned();
        let version = root.join("version");
        fs::remove_file(&version).unwrap();
        put(&version);
        in_time(&version, move || assert!(Store::open(&root).is_err()));
    }
}

/// Does something that ends, unless it hangs.
fn in_time(what: &Path, work: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = sender.send(());
    });
    let ended = receiver.recv_timeout(std::time::Duration::from_secs(120));
    assert!(ended.is_ok(), "{}: {ended:?}", what.display());
}
