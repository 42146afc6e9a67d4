//! Stores of others, of a group, and places where there is none.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::scene::{Scene, filters};

#[test]
fn reading_makes_no_store() {
    let scene = Scene::new();
    let _filters = filters();
    assert_eq!(scene.ok("plan -q"), "a\nb\nc\nmerged\n");
    assert_eq!(scene.ok("run --dry-run -q"), "a\nb\nc\nmerged\n");
    assert_eq!(scene.ok("ls -q"), "a\nb\nc\nmerged\n");
    assert!(scene.ok("why a").contains("never ran"));
    for line in ["check", "graph", "kinds", "schema"] {
        scene.ok(line);
    }
    insta::assert_snapshot!(scene.fails("show a"), @r"
    exit 2
      × node `a` has no artifact in the store: never ran
      help: make it first: `hyper-flow run a`
    ");
    for (line, said) in [
        ("export a out", "has no artifact"),
        ("log a", "was not started in any run"),
        ("cache du", "there is no store at `.hyper-flow`"),
        ("cache verify", "there is no store"),
        ("cache gc", "there is no store"),
        ("cache rebuild", "there is no store"),
    ] {
        let failed = scene.fails(line);
        assert!(failed.starts_with("exit 2") && failed.contains(said), "{failed}");
    }
    assert!(!scene.path().join(".hyper-flow").exists());
}

#[test]
fn a_store_that_is_named_must_be_there_but_for_a_run() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.fails("ls --store typo"), @r"
    exit 2
      × there is no store at `typo`
      help: name another one with `--store` or HYPER_FLOW_STORE; `hyper-flow run --store typo` and `hyper-flow store init --store typo` make one
    ");
    // What a run would do can be told, and it would make it.
    for line in ["plan", "why a", "run --dry-run"] {
        let output = scene.command(&format!("{line} --store typo")).output().unwrap();
        let warned = scene.text(&output.stderr);
        assert!(output.status.success() && warned.contains("⚠ there is no store at `typo`"), "{line}: {warned}");
    }
    for line in ["ls", "show a", "log a", "export a out", "cache du", "cache gc", "cache verify"] {
        let failed = scene.fails(&format!("{line} --store typo"));
        assert!(failed.starts_with("exit 2") && failed.contains("there is no store at `typo`"), "{line}: {failed}");
        let output = scene.command(line).env("HYPER_FLOW_STORE", "typo").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
    scene.ok("check --store typo");
    scene.ok("graph --store typo");
    assert!(!scene.path().join("typo").exists());
    scene.ok("run --store made");
    assert_eq!(scene.ok("plan -q --store made"), "");
}

#[test]
fn a_store_can_be_made_first() {
    let scene = Scene::new();
    assert_eq!(scene.ok("store init"), "[DIR]/.hyper-flow: made, private\n");
    assert_eq!(scene.ok("store init"), "[DIR]/.hyper-flow: there already, private\n");
    scene.ok("run");
    let shared = scene.ok("store init --shared");
    assert!(shared.starts_with("[DIR]/.hyper-flow: there already, shared with its group; "), "{shared}");
    assert_eq!(scene.ok("store init"), "[DIR]/.hyper-flow: there already, shared with its group\n");
    assert_eq!(scene.ok("plan -q"), "");
    assert_eq!(scene.ok("cache verify -q"), "");
    let failed = scene.fails("store init --shared --group no-such-group");
    assert!(failed.starts_with("exit 2") && failed.contains("there is no group `no-such-group`"), "{failed}");
    assert!(scene.fails("store init --group root").starts_with("exit 2"), "only of a shared one");
}

#[test]
fn a_folder_with_the_store_in_it_is_no_source() {
    let scene = Scene::empty();
    scene.write("data/x", "x");
    let pipeline = |folder: &str| {
        format!(
            "Pipeline(name: \"p\", nodes: {{\n    \"a\": Command(program: [\"sh\", \"-c\", \"ls $FLOW_FILE_S > $FLOW_OUT/n\"], \
             files: {{\"s\": \"{folder}\"}}),\n}})\n"
        )
    };
    scene.write("p.ron", &pipeline("."));
    insta::assert_snapshot!(scene.fails("check"), @r#"
    exit 2
      × 1 mistake in p.ron

      × the folder `.` holds the store `[DIR]/.hyper-flow`, which every run changes
       ╭─[p.ron:2:87]
     1 │ Pipeline(name: "p", nodes: {
     2 │     "a": Command(program: ["sh", "-c", "ls $FLOW_FILE_S > $FLOW_OUT/n"], files: {"s": "."}),
       ·                                                                                       ─┬─
       ·                                                                                        ╰── the store is in here
     3 │ })
       ╰────
      help: name a folder inside it that holds only what the node needs, or keep the store elsewhere: `--store DIR`
    "#);
    for line in ["plan", "run", "run --store data/../sub/store", "plan --store ./link/store"] {
        assert!(scene.fails(line).contains("holds the store"), "{line}");
    }
    scene.write("p.ron", "Pipeline(name: \"p\", nodes: {\"a\": ImageFolder(folder: \".\")})");
    assert!(scene.fails("check").contains("the folder `.` holds the store"));
    scene.write("p.ron", &pipeline("link"));
    std::os::unix::fs::symlink(".", scene.path().join("link")).unwrap();
    assert!(scene.fails("check").contains("the folder `link` holds the store"), "through a link");
    assert!(!scene.path().join(".hyper-flow").exists());

    fs::remove_file(scene.path().join("link")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    scene.write("p.ron", &pipeline("."));
    scene.ok(&format!("run --store {}", elsewhere.path().join("store").display()));
    scene.write("p.ron", &pipeline("data"));
    scene.ok("run");
    assert_eq!(scene.ok("plan -q"), "");
}

#[test]
fn what_is_in_the_way_is_named_by_every_command_and_mended_by_verify() {
    let scene = Scene::new();
    scene.ok("run");
    let store = scene.path().join(".hyper-flow");
    let version = fs::read(store.join("version")).unwrap();
    for (rel, said) in [
        ("version", "version` is empty, where the format of the store belongs"),
        ("scratch", "scratch` is a file, where a directory belongs"),
        ("objects/00", "objects/00` is a file, where a directory belongs"),
    ] {
        let path = store.join(rel);
        assert!(rel == "version" || !path.exists() || path.read_dir().unwrap().next().is_none(), "{rel} is needed");
        let _ = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
        fs::write(&path, "").unwrap();
        for line in
            ["run", "plan", "ls", "why a", "show a", "log a", "export a out", "cache du", "cache gc", "cache rebuild"]
        {
            let failed = scene.fails(line);
            assert!(failed.starts_with("exit 3") && failed.contains(said), "{line}: {failed}");
            assert!(failed.contains("`hyper-flow cache verify --repair` mends it"), "{line}: {failed}");
        }
        let failed = scene.command("cache verify").output().unwrap();
        assert_eq!(failed.status.code(), Some(3));
        assert!(scene.text(&failed.stdout).starts_with(rel), "{}", scene.text(&failed.stdout));
        assert!(scene.ok("cache verify --repair").starts_with(rel));
        assert_eq!(scene.ok("cache verify -q"), "");
        assert_eq!((scene.ok("plan -q"), fs::read(store.join("version")).unwrap()), (String::new(), version.clone()));
    }
}

#[test]
fn a_damaged_note_of_an_export_is_mended() {
    let scene = Scene::new();
    scene.ok("run");
    scene.ok("export merged out");
    let note = fs::read_dir(scene.path().join(".hyper-flow/exports")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    let failed = scene.fails("export merged out");
    assert!(failed.starts_with("exit 3") && failed.contains("a directory, where a file belongs"), "{failed}");
    scene.ok("cache verify --repair");
    assert_eq!(scene.ok("export merged out"), "merged exported to out: 0 files written, 1 unchanged\n");
}

/// A place that others are let into, with the binary in it; none, and that is said, where only root could play others.
struct Open {
    scene: Scene,
    binary: PathBuf,
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
    umask: &'static str,
}

const GROUP: u32 = 23_456;
const ANNA: User = User { uid: 65_534, gid: GROUP, umask: "077" };
const BERT: User = User { uid: 12_345, gid: GROUP, umask: "022" };
const STRANGER: User = User { uid: 12_346, gid: 12_346, umask: "022" };

impl Open {
    fn new(test: &str) -> Option<Open> {
        if !rustix::process::geteuid().is_root() {
            let _ = writeln!(std::io::stderr(), "SKIPPED, for it takes root to be two users: {test}");
            return None;
        }
        let scene = Scene::new();
        fs::set_permissions(scene.path(), Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(scene.path().join("tmp")).unwrap();
        fs::set_permissions(scene.path().join("tmp"), Permissions::from_mode(0o777)).unwrap();
        let binary = scene.path().join("hyper-flow");
        fs::copy(env!("CARGO_BIN_EXE_hyper-flow"), &binary).unwrap();
        Some(Open { scene, binary })
    }

    fn run(&self, user: User, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {}; exec {} {line}", user.umask, self.binary.display())]);
        command.uid(user.uid).gid(user.gid).current_dir(self.scene.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.scene.path());
        command.env("TMPDIR", self.scene.path().join("tmp")).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, user: User, line: &str) -> String {
        let output = self.run(user, line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        self.scene.text(&output.stdout)
    }
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut paths = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    paths
}

#[test]
fn what_is_cached_in_a_store_of_anothers_is_cached() {
    let Some(open) = Open::new("a store of root's") else { return };
    open.scene.ok("run test.ron");
    let before = below(&open.scene.path().join(".hyper-flow"));
    let ran = open.ok(STRANGER, "run --json test.ron");
    let summary: serde_json::Value = serde_json::from_str(ran.lines().last().unwrap()).unwrap();
    assert_eq!(summary["cached"].as_array().map(Vec::len), Some(4), "{ran}");
    assert_eq!(below(&open.scene.path().join("tmp")).len(), 1, "nothing to look at is left beside it");
    assert_eq!(open.ok(STRANGER, "plan -q test.ron"), "");
    assert_eq!(open.ok(STRANGER, "ls -q test.ron"), "a\nb\nc\nmerged\n");
    assert_eq!(open.ok(STRANGER, "show test.ron merged merged.txt"), "ONE\nTWO\nTWO\n");
    assert!(open.ok(STRANGER, "log test.ron a").contains("said"));
    assert!(open.ok(STRANGER, "why test.ron a").contains("cached"));
    assert!(open.ok(STRANGER, "export test.ron merged theirs").contains("1 file written"));
    assert_eq!(fs::metadata(open.scene.path().join("theirs/merged.txt")).unwrap().uid(), STRANGER.uid);
    assert_eq!(open.ok(STRANGER, "cache verify -q"), "");
    assert_eq!(below(&open.scene.path().join(".hyper-flow")), before, "nothing is written");

    open.scene.edit("sort ", "sort -r ");
    assert_eq!(open.ok(STRANGER, "plan -q test.ron"), "b\nmerged\n");
    let failed = open.run(STRANGER, "run test.ron");
    assert_eq!((failed.status.code(), open.scene.text(&failed.stdout).as_str()), (Some(3), ""));
    insta::assert_snapshot!(open.scene.text(&failed.stderr), @r"
      × `b` has to run, and its artifact could not be kept
      ╰─▶ the store `[DIR]/.hyper-flow` cannot be written by you: `[DIR]/.hyper-flow`: Permission denied (os error 13)
      help: use a store of your own (`--store`), or have the owner of this one share it: `hyper-flow store init --shared`; what is cached can be used as it is
    ");
    assert_eq!(below(&open.scene.path().join(".hyper-flow")), before, "nor then");
    open.ok(STRANGER, "run test.ron --store mine");
}

#[test]
fn a_group_has_a_store_in_common() {
    let Some(open) = Open::new("a store that a group has in common") else { return };
    open.scene.ok(&format!("store init --shared --group {GROUP}"));
    assert!(open.ok(ANNA, "run --json test.ron a b").contains(r#""ran":["a","b"]"#));
    let ran = open.ok(BERT, "run --json test.ron");
    assert!(ran.contains(r#""cached":["a","b"]"#) && ran.contains(r#""ran":["c","merged"]"#), "{ran}");
    assert!(open.ok(ANNA, "run --json test.ron").contains(r#""cached":["a","b","c","merged"]"#));
    // What one altered, the other has made anew.
    let object = {
        let shown: serde_json::Value = serde_json::from_str(&open.ok(BERT, "show --json test.ron b")).unwrap();
        let digest = shown["files"][0]["digest"].as_str().unwrap().to_owned();
        open.scene.path().join(".hyper-flow/objects").join(&digest[..2]).join(&digest[2..])
    };
    assert_eq!(fs::metadata(&object).unwrap().uid(), ANNA.uid);
    fs::write(&object, "altered").unwrap();
    assert!(open.ok(BERT, "run --json test.ron").contains(r#""ran":["b"]"#));
    assert_eq!(fs::metadata(&object).unwrap().uid(), BERT.uid);
    assert!(open.ok(ANNA, "log test.ron c").contains("done"));
    open.scene.edit("sort ", "sort -r ");
    open.ok(ANNA, "run test.ron");
    open.ok(BERT, "cache gc --keep-days 0 --all");
    assert_eq!(open.ok(ANNA, "plan -q test.ron"), "a\nb\nc\nmerged\n");
    open.ok(ANNA, "run test.ron");
    for path in below(&open.scene.path().join(".hyper-flow")) {
        let meta = fs::metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let wanted = mode & 0o700 | (mode & 0o700) >> 3 | if meta.is_dir() { 0o2000 } else { 0 };
        assert_eq!((mode & 0o2770, meta.gid()), (wanted, GROUP), "{} has mode {mode:o}", path.display());
    }
    assert_eq!(open.ok(BERT, "cache verify -q"), "");
    open.ok(ANNA, "export test.ron merged hers");
    let mode = |path: &str| fs::metadata(open.scene.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("hers"), mode("hers/merged.txt")), (0o700, 0o600), "what she exports is hers");
}
