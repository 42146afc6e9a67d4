//! Export, and what looks after the store.

use std::fs;

use super::scene::{PIPELINE, Scene, filters};

#[test]
fn an_export_is_brought_up_to_date_and_never_linked() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    insta::assert_snapshot!(scene.ok("export merged out"), @"merged exported to out: 1 file written, 0 unchanged");
    assert_eq!(scene.read("out/merged.txt"), "ONE\nTWO\nTWO\n");
    scene.write("out/merged.txt", "mine");
    scene.write("out/notes.txt", "mine");
    insta::assert_snapshot!(scene.fails("export merged out"), @r"
    exit 2
      × export to `[DIR]/out`: it would overwrite `merged.txt`, which was edited since it was exported
      help: move them, name another directory, or overwrite them with `--force`
    ");
    assert_eq!(scene.read("out/merged.txt"), "mine");
    assert_eq!(scene.ok("export merged out -q --force"), "merged.txt\n");
    assert_eq!(scene.read("out/notes.txt"), "mine");
    fs::remove_file(scene.path().join("out/merged.txt")).unwrap();
    scene.ok("export test.ron merged out");
    assert_eq!(scene.read("out/merged.txt"), "ONE\nTWO\nTWO\n");
    assert_eq!(scene.ok("cache verify -q"), "", "editing an export touches no object");
}

#[test]
fn an_export_overwrites_nothing_of_others_unless_forced() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write("mine/merged.txt", "mine");
    insta::assert_snapshot!(scene.fails("export merged mine"), @r"
    exit 2
      × export to `[DIR]/mine`: it would overwrite `merged.txt`, which is not from an export
      help: move them, name another directory, or overwrite them with `--force`
    ");
    assert_eq!(scene.read("mine/merged.txt"), "mine");
    scene.ok("export merged mine --force");
    assert_eq!(scene.read("mine/merged.txt"), "ONE\nTWO\nTWO\n");
}

#[test]
fn nodes_share_a_directory_and_never_overwrite_each_other() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.ok("export b out");
    scene.ok("export c out");
    assert_eq!((scene.read("out/b.txt"), scene.read("out/c.txt")), ("ONE\nTWO\n".into(), "TWO\n".into()));
    scene.edit("$FLOW_OUT/c.txt", "$FLOW_OUT/b.txt");
    scene.ok("run test.ron");
    let failed = scene.fails("export c out");
    assert!(failed.contains("`b.txt`, which was exported for `b` of `test`"), "{failed}");
    scene.ok("export b out");
    assert_eq!((scene.read("out/b.txt"), scene.read("out/c.txt")), ("ONE\nTWO\n".into(), "TWO\n".into()));
}

#[test]
fn a_lora_is_called_after_its_node() {
    let scene = Scene::empty();
    let lora = |text: &str| {
        format!(
            "Command(program: [\"sh\", \"-c\", \"echo {text} > $FLOW_OUT/lora.safetensors; echo {text} > $FLOW_OUT/guard.json\"], output: Lora)"
        )
    };
    let text = format!("Pipeline(name: \"p\", nodes: {{\"tscd\": {}, \"a/b\": {}}})", lora("one"), lora("two"));
    scene.write("p.ron", &text);
    scene.ok("run");
    assert_eq!(scene.ok("export tscd loras -q"), "tscd.guard.json\ntscd.safetensors\n");
    assert_eq!(scene.ok("export a/b loras -q").lines().count(), 2);
    assert_eq!(scene.read("loras/tscd.safetensors"), "one\n");
    let names: Vec<_> = fs::read_dir(scene.path().join("loras")).unwrap().map(|e| e.unwrap().file_name()).collect();
    let second = names.iter().filter_map(|name| name.to_str()).find(|name| name.starts_with("a_b-")).unwrap();
    assert_eq!((names.len(), scene.read(&format!("loras/{second}")).as_str()), (4, "two\n"));
}

#[test]
fn what_has_to_run_is_not_exported() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.fails("export merged out"), @r"
    exit 2
      × node `merged` has no artifact in the store: never ran
      help: make it first: `hyper-flow run merged`
    ");
}

/// The object that holds a file of a node's artifact.
fn object(scene: &Scene, node: &str) -> std::path::PathBuf {
    let digest = scene.json(&format!("show {node} --json"))["files"][0]["digest"].as_str().unwrap().to_owned();
    scene.path().join(".hyper-flow/objects").join(&digest[..2]).join(&digest[2..])
}

#[test]
fn an_altered_object_is_found_set_aside_and_made_again() {
    let scene = Scene::new();
    let _filters = filters();
    scene.ok("run test.ron");
    let path = object(&scene, "merged");
    // As root does with a read-only file: a new file in its place.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "XXX\nXXX\nXXX\n").unwrap();
    insta::assert_snapshot!(scene.fails("cache verify"), @r"
    exit 3
      × 2 files of the store are not as they were written
      help: `hyper-flow cache verify --repair` sets them aside, and the next run makes anew what it needs
    ");
    assert!(scene.ok("cache verify --repair").contains("set aside"));
    assert_eq!(scene.ok("plan -q"), "merged\n");
    scene.ok("run test.ron");
    assert_eq!(scene.ok("show merged merged.txt"), "ONE\nTWO\nTWO\n");
}

#[test]
fn what_pipelines_need_is_not_collected() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let old = object(&scene, "merged");
    scene.edit("cat $FLOW_IN_LEFT/* $FLOW_IN_RIGHT/*", "cat $FLOW_IN_LEFT/* $FLOW_IN_RIGHT/* | tac");
    scene.ok("run test.ron");
    assert!(scene.ok("cache gc").contains("5 records kept"), "nothing is old");
    let dry = scene.ok("cache gc --keep-days 0 --dry-run");
    assert!(dry.starts_with("would remove 1 record") && old.exists(), "{dry}");
    scene.ok("cache gc --keep-days 0");
    assert!(!old.exists());
    assert_eq!(scene.ok("plan -q"), "");
}

#[test]
fn a_pipeline_that_is_gone_needs_nothing() {
    let scene = Scene::new();
    scene.write("other.ron", &PIPELINE.replace("\"test\"", "\"other\"").replace("sort ", "sort -r "));
    scene.ok("run test.ron");
    scene.ok("run other.ron");
    fs::remove_file(scene.path().join("other.ron")).unwrap();
    assert!(scene.ok("cache gc --keep-days 0").starts_with("removed 2 records"), "`b` and `merged` of the other");
    assert_eq!(scene.ok("plan -q"), "");
}

#[test]
fn a_size_limit_spares_what_pipelines_need() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.edit("sort ", "sort -r ");
    scene.ok("run test.ron");
    assert!(scene.ok("cache gc --max-size 1B").starts_with("removed 2 records"));
    assert_eq!(scene.ok("plan -q"), "");
    scene.ok("cache gc --max-size 0 --all");
    assert_eq!(scene.ok("plan -q"), "a\nb\nc\nmerged\n");
}

#[test]
fn a_lost_index_loses_nothing() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    fs::remove_dir_all(scene.path().join(".hyper-flow/index")).unwrap();
    assert_eq!(scene.ok("plan -q"), "");
    insta::assert_snapshot!(scene.ok("cache rebuild"), @"index made anew from 4 records");
    scene.edit("sort ", "sort -r ");
    assert!(scene.ok("why b -q").contains("sort -r"));
}

#[test]
fn du_adds_up() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let du = scene.json("cache du --json");
    assert_eq!((&du["objects"]["files"], &du["records"]["files"]), (&4.into(), &4.into()));
    let parts = du.as_object().unwrap().values();
    let total: u64 = parts.filter_map(|part| part["bytes"].as_u64()).sum();
    assert_eq!(scene.ok("cache du -q"), format!("{total}\n"));
}
