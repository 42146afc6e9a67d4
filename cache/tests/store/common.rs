//! What the tests share.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyper_flow_cache::{Digest, Key, Pin, Record, Store};
use serde_json::json;
use tempfile::TempDir;

/// A store in a directory that goes away with it.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

pub(crate) fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    Home { dir, store }
}

/// What a node of this name would be keyed by.
pub(crate) fn preimage(name: &str) -> Vec<u8> {
    format!("node {name}").into_bytes()
}

pub(crate) fn key(name: &str) -> Key {
    Key::derive(&preimage(name))
}

/// Writes files into a directory; a name that ends in `*` is executable.
pub(crate) fn write_files(dir: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = dir.join(name.trim_end_matches('*'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        if name.ends_with('*') {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// Publishes these files as what the key of `name` produced.
pub(crate) fn publish(store: &Store, name: &str, files: &[(&str, &str)]) -> Record {
    let staging = store.staging().unwrap();
    write_files(staging.path(), files);
    store.publish(&key(name), &preimage(name), staging.path(), json!({"by": name})).unwrap()
}

/// As [`publish`], with empty directories.
pub(crate) fn publish_with_empty(store: &Store, name: &str, files: &[(&str, &str)], empty: &[&str]) -> Record {
    let staging = store.staging().unwrap();
    write_files(staging.path(), files);
    empty.iter().for_each(|path| fs::create_dir_all(staging.path().join(path)).unwrap());
    store.publish(&key(name), &preimage(name), staging.path(), json!({"by": name})).unwrap()
}

/// A pin of the key of a node.
pub(crate) fn pin(name: &str, node: &str) -> Pin {
    Pin { name: name.to_owned(), key: key(node), note: json!({"node": node}) }
}

/// Where the store files something.
pub(crate) fn filed(store: &Store, area: &str, name: impl ToString) -> PathBuf {
    let hex = name.to_string();
    store.root().join(area).join(&hex[..2]).join(&hex[2..])
}

pub(crate) fn object(store: &Store, content: &str) -> PathBuf {
    filed(store, "objects", Digest::of(content.as_bytes()))
}

/// Writes over a file's bytes in place, whatever its mode, as a careless root would.
pub(crate) fn overwrite(path: &Path, content: &[u8]) {
    let before = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, before).unwrap();
}

/// Writes over a file and puts its mtime back, so that only its content tells.
pub(crate) fn overwrite_slyly(path: &Path, content: &[u8]) {
    let mtime = fs::metadata(path).unwrap().modified().unwrap();
    overwrite(path, content);
    fs::File::open(path).unwrap().set_modified(mtime).unwrap();
}

/// The content of every file below a directory, by relative path.
pub(crate) fn content_of(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let rel = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(rel, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// As [`content_of`] gives it.
pub(crate) fn contents(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect()
}

/// How many entries a directory of the store has; none where there is no directory.
pub(crate) fn count(store: &Store, area: &str) -> usize {
    fs::read_dir(store.root().join(area)).map_or(0, Iterator::count)
}

/// Runs one of the ignored tests of this binary, told where the store is, as a process of its own.
pub(crate) fn spawn(test: &str, store: &Store) -> Child {
    spawn_with(test, store, &[])
}

/// As [`spawn`], told more.
pub(crate) fn spawn_with(test: &str, store: &Store, environment: &[(&str, &OsStr)]) -> Child {
    let mut command = child(&std::env::current_exe().unwrap(), test, store);
    command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn child(binary: &Path, test: &str, store: &Store) -> Command {
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("HYPER_FLOW_TEST_STORE", store.root());
    command
}

/// A user who is neither root nor whoever runs the tests.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) umask: u32,
}

/// Runs one of the ignored tests as another user, to its end.
#[track_caller]
pub(crate) fn run_as(user: User, test: &str, home: &Home) {
    use std::os::unix::process::CommandExt;
    // Where this binary lies others may not be let in.
    let binary = home.dir.path().join("tests");
    if !binary.exists() {
        fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        fs::set_permissions(home.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = child(&binary, test, &home.store);
    command.uid(user.uid).gid(user.gid).current_dir("/").env("HYPER_FLOW_TEST_UMASK", user.umask.to_string());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Whether other users can be played here; if not, that is said past the capture of the tests' output.
pub(crate) fn can_be_others(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "SKIPPED, for it takes root to be two users: {test}");
    }
    root
}

/// Takes over the umask that [`run_as`] told this process.
pub(crate) fn take_umask() {
    let umask: u32 = std::env::var("HYPER_FLOW_TEST_UMASK").unwrap().parse().unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
}

/// The store that [`spawn`] told this process.
pub(crate) fn told_store() -> Store {
    Store::open(Path::new(&std::env::var_os("HYPER_FLOW_TEST_STORE").unwrap())).unwrap()
}

/// A temporary directory in another file system than `store`, if this machine has one.
pub(crate) fn elsewhere(store: &Store) -> Option<TempDir> {
    use std::os::unix::fs::MetadataExt;
    let shm = Path::new("/dev/shm");
    let other = fs::metadata(shm).ok()?.dev() != fs::metadata(store.root()).ok()?.dev();
    other.then(|| tempfile::tempdir_in(shm).ok()).flatten()
}
