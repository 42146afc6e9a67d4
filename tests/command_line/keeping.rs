//! What garbage collection keeps, whatever becomes of files, folders and clocks; pins; forgetting.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::scene::{PIPELINE, Scene};

const DAY: Duration = Duration::from_secs(86_400);

/// Everything goes that nothing keeps in any case.
const COLLECT: &str = "cache gc --keep-days 0";

/// Whether nothing of a pipeline has to run.
fn is_cached(scene: &Scene, file: &str) -> bool {
    scene.ok(&format!("plan -q {file}")).is_empty()
}

/// The directories of the runs, the oldest first.
fn runs(scene: &Scene) -> Vec<PathBuf> {
    let entries = fs::read_dir(scene.path().join(".hyper-flow/runs")).unwrap();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    runs
}

#[test]
fn a_copy_is_a_pipeline_of_its_own() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write("copy.ron", &PIPELINE.replace("sort ", "sort -r "));
    scene.ok("run copy.ron");
    scene.ok(COLLECT);
    assert!(is_cached(&scene, "test.ron") && is_cached(&scene, "copy.ron"), "both have the same name");
    fs::remove_file(scene.path().join("copy.ron")).unwrap();
    assert!(scene.ok(COLLECT).starts_with("removed 2 records"));
    assert!(is_cached(&scene, "test.ron"));
}

#[test]
fn the_original_may_go_and_the_copy_stays() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    fs::copy(scene.path().join("test.ron"), scene.path().join("copy.ron")).unwrap();
    scene.ok("run copy.ron");
    fs::remove_file(scene.path().join("test.ron")).unwrap();
    scene.ok(COLLECT);
    assert!(is_cached(&scene, "copy.ron"));
}

#[test]
fn a_renamed_pipeline_is_the_same_before_it_is_run_again() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    fs::rename(scene.path().join("test.ron"), scene.path().join("renamed.ron")).unwrap();
    scene.ok(COLLECT);
    assert!(is_cached(&scene, "renamed.ron"));
    scene.write("renamed.ron", &PIPELINE.replace("sort ", "sort -r "));
    assert!(scene.ok("why b -q").contains("sort -r"), "and what it was last is known");
}

#[test]
fn a_file_that_an_editor_replaced_is_the_same() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write("test.ron.new", &PIPELINE.replace("sort ", "sort -r "));
    fs::rename(scene.path().join("test.ron.new"), scene.path().join("test.ron")).unwrap();
    assert!(scene.ok("why b -q").contains("sort -r"));
    assert!(scene.ok(COLLECT).starts_with("removed 0 records"), "the last of each node is kept until another is made");
}

#[test]
fn a_project_that_moved_with_its_store_keeps_all() {
    let scene = Scene::empty();
    scene.write("project/pipelines/test.ron", PIPELINE);
    scene.write("project/pipelines/data.txt", "two\none\n");
    let flow = |folder: &str, line: &str| {
        let mut command = scene.command(line);
        let output = command.current_dir(scene.path().join(folder)).output().unwrap();
        assert!(output.status.success(), "{}", scene.text(&output.stderr));
        scene.text(&output.stdout)
    };
    flow("project", "run pipelines/test.ron");
    fs::create_dir(scene.path().join("deep")).unwrap();
    fs::rename(scene.path().join("project"), scene.path().join("deep/moved")).unwrap();
    assert!(flow("deep/moved", COLLECT).starts_with("removed 0 records"));
    assert_eq!(flow("deep/moved", "plan -q"), "", "the pipeline of the last run is found, too");
}

#[test]
fn names_with_slashes_do_not_meet() {
    let scene = Scene::empty();
    let pipeline = |name: &str, node: &str, word: &str| {
        format!(
            r#"Pipeline(name: "{name}", nodes: {{"{node}": Command(program: ["sh", "-c", "echo {word} > $FLOW_OUT/x"])}})"#
        )
    };
    scene.write("one.ron", &pipeline("a", "b/c", "one"));
    scene.write("two.ron", &pipeline("a/b", "c", "two"));
    scene.ok("run one.ron");
    scene.ok("run two.ron");
    assert!(scene.ok(COLLECT).starts_with("removed 0 records"));
    assert!(is_cached(&scene, "one.ron") && is_cached(&scene, "two.ron"));
    scene.write("one.ron", &pipeline("a", "b/c", "three"));
    assert!(scene.ok("why one.ron b/c -q").contains("echo one"), "not the other's");
}

#[test]
fn what_goes_is_told_by_its_nodes_before_and_after() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    // The last two come out the same.
    for order in ["-r", "-u"] {
        scene.write("test.ron", &PIPELINE.replace("sort ", &format!("sort {order} ")));
        scene.ok("run test.ron");
    }
    let told = |line: &str| scene.ok(line).lines().skip(1).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let planned = told("cache gc --keep-days 0 --dry-run");
    insta::assert_snapshot!(planned, @r"
      2 artifacts  b       test.ron
      1 artifact   merged  test.ron
    ");
    let json = scene.json("cache gc --keep-days 0 --dry-run --json");
    assert_eq!(json["nodes"][0]["node"], "b");
    assert_eq!(told(COLLECT), planned);
    assert!(is_cached(&scene, "test.ron"));
}

#[test]
fn a_run_of_an_earlier_version_keeps_what_it_used() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let run = runs(&scene).remove(0);
    let text = fs::read_to_string(run.join("keys.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let labels: serde_json::Map<String, serde_json::Value> =
        lines.map(|line| (format!("test/{}", line["node"].as_str().unwrap()), line["key"].clone())).collect();
    fs::remove_file(run.join("keys.jsonl")).unwrap();
    fs::write(run.join("labels.json"), serde_json::to_vec(&labels).unwrap()).unwrap();
    let pipeline = scene.path().join("test.ron");
    let old = serde_json::json!({"run": "x", "name": "test", "pipeline": pipeline, "text": PIPELINE});
    fs::write(run.join("run.json"), old.to_string()).unwrap();
    assert!(scene.ok(COLLECT).starts_with("removed 0 records"));
    assert!(is_cached(&scene, "test.ron"));
    scene.edit("sort ", "sort -r ");
    assert!(scene.ok("why b -q").contains("sort -r"));
}

fn set_time(file: &Path, time: SystemTime) {
    fs::File::open(file).unwrap().set_modified(time).unwrap();
}

/// Three runs of other programs for `b`, which ended at these times, their records made then, too.
fn three_runs(times: [SystemTime; 3]) -> Scene {
    let scene = Scene::new();
    for (order, time) in ["-r", "-u", "-n"].iter().zip(times) {
        scene.write("test.ron", &PIPELINE.replace("sort ", &format!("sort {order} ")));
        let before = records(&scene);
        scene.ok("run test.ron");
        records(&scene).iter().filter(|record| !before.contains(record)).for_each(|record| set_time(record, time));
        set_time(&runs(&scene).pop().unwrap().join("events.jsonl"), time);
    }
    // It says what the clock said that is right here.
    fs::remove_dir_all(scene.path().join(".hyper-flow/index")).unwrap();
    scene
}

fn records(scene: &Scene) -> Vec<PathBuf> {
    let shards = fs::read_dir(scene.path().join(".hyper-flow/records")).into_iter().flatten();
    let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

/// Whether what the second run made is there.
fn has_second(scene: &Scene) -> bool {
    scene.write("test.ron", &PIPELINE.replace("sort ", "sort -u "));
    let there = is_cached(scene, "test.ron");
    scene.write("test.ron", &PIPELINE.replace("sort ", "sort -n "));
    there
}

#[test]
fn a_clock_that_was_ahead_keeps_nothing_for_ever() {
    let now = SystemTime::now();
    let scene = three_runs([now - 50 * DAY, now + 9000 * DAY, now - 40 * DAY]);
    scene.ok("cache gc");
    assert!(!has_second(&scene) && is_cached(&scene, "test.ron"));
}

#[test]
fn what_was_used_lately_stays_when_the_clock_was_ahead_and_is_mended() {
    let now = SystemTime::now();
    let scene = three_runs([now - 50 * DAY, now + 9000 * DAY, now]);
    scene.ok("cache gc");
    assert!(has_second(&scene));
    scene.ok(COLLECT);
    assert!(!has_second(&scene) && is_cached(&scene, "test.ron"), "--keep-days 0 knows no young ones");
}

#[test]
fn what_was_used_lately_stays_when_the_clock_was_behind_and_is_mended() {
    let now = SystemTime::now();
    let scene = three_runs([now - DAY, UNIX_EPOCH + DAY, UNIX_EPOCH + 2 * DAY]);
    scene.ok("cache gc");
    assert!(has_second(&scene));
}

#[test]
fn a_run_under_a_wrong_clock_is_not_the_last_for_ever() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let run = runs(&scene).remove(0);
    fs::rename(&run, run.with_file_name("20990101-000000-000-ffff")).unwrap();
    scene.edit("sort ", "sort -r ");
    scene.ok("run test.ron");
    assert!(runs(&scene)[1].file_name().unwrap().to_str().unwrap().starts_with("20990101-000000-001-"));
    scene.ok(COLLECT);
    assert!(is_cached(&scene, "test.ron"));
    scene.edit("sort -r ", "sort -u ");
    assert!(scene.ok("why b -q").contains("sort -r"), "compared with the run that came last");
}

/// As the other tests of clocks, but with a clock that really is another one.
#[test]
fn a_clock_that_goes_both_ways_loses_nothing() {
    if Command::new("faketime").arg("--version").stdout(Stdio::null()).status().is_err() {
        // Past what keeps the output of tests that pass.
        let why = "SKIPPED: there is no `faketime`, which moves the clock; the Debian package of that name brings it\n";
        return std::io::stderr().write_all(why.as_bytes()).unwrap();
    }
    let scene = Scene::new();
    let at = |time: &str, line: &str| {
        let mut command = Command::new("faketime");
        let words = line.split_whitespace();
        command.args(["-f", time]).arg(env!("CARGO_BIN_EXE_hyper-flow")).args(words).current_dir(scene.path());
        command.env_remove("HYPER_FLOW_STORE").stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line} at {time}: {}", scene.text(&output.stderr));
        scene.text(&output.stdout)
    };
    let mut ids = Vec::new();
    for (time, order) in [("+1000d", "-r"), ("-4000d", "-u"), ("+0d", "-n"), ("-1d", "-nr")] {
        scene.write("test.ron", &PIPELINE.replace("sort ", &format!("sort {order} ")));
        at(time, "run test.ron");
        ids.extend(runs(&scene).pop());
        at(time, COLLECT);
        assert!(is_cached(&scene, "test.ron"), "made and collected at {time}");
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for time in ["-4000d", "+0d"] {
        at(time, "cache gc");
        assert!(is_cached(&scene, "test.ron"), "collected at {time}");
    }
}

#[test]
fn a_plan_in_which_all_is_cached_reads_no_run() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let blocked = scene.path().join(".hyper-flow/runs/20990101-000000-000-ffff");
    fs::create_dir(&blocked).unwrap();
    // Who opens it waits for ever.
    assert!(Command::new("mkfifo").arg(blocked.join("run.json")).status().unwrap().success());
    for line in ["plan test.ron -q", "ls test.ron -q"] {
        let mut child = scene.command(line).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            match child.try_wait().unwrap() {
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                ended => break ended,
            }
        };
        let _ = child.kill();
        assert!(ended.is_some_and(|status| status.success()), "{line} reads the logs of runs");
    }
}

#[test]
fn a_pinned_variant_survives_everything() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    insta::assert_snapshot!(
        scene.ok("tag merged good"),
        @"the artifact of merged (12 B) is kept as @good, until `hyper-flow unpin good`"
    );
    let made = scene.ok("pin b");
    assert!(made.starts_with("the artifact of b (8 B) is kept as @b-"), "{made}");
    scene.edit("sort ", "sort -r ");
    scene.edit("head ", "tail ");
    scene.ok("run test.ron");
    scene.ok("cache gc --keep-days 0 --all --max-size 0");
    assert_eq!(scene.ok("plan test.ron -q"), "a\nb\nc\nmerged\n");
    assert_eq!(scene.ok("show @good merged.txt"), "ONE\nTWO\nTWO\n");
    scene.ok("export @good out");
    assert_eq!(scene.read("out/merged.txt"), "ONE\nTWO\nTWO\n");
    let shown = scene.json("show @good --json");
    assert_eq!([&shown["name"], &shown["kind"], &shown["inputs"]["inputs.left"]], ["merged", "Command", "b"]);
    let pins = scene.json("cache pins --json");
    assert_eq!(pins["pins"][1]["name"], "good");
    assert!(scene.ok("cache pins").contains("@good      merged  [DIR]/test.ron  12 B"), "{}", scene.ok("cache pins"));

    insta::assert_snapshot!(scene.ok("unpin @good"), @"@good, of merged, is pinned no longer");
    scene.ok("cache gc --keep-days 0 --all");
    assert!(scene.fails("show @good").contains("nothing is pinned as `good`"));
    assert_eq!(scene.ok("cache pins -q").lines().count(), 1);
    scene.edit("sort -r ", "sort ");
    scene.edit("tail ", "head ");
    scene.ok("run test.ron");
    assert!(scene.ok("unpin test.ron b").contains("is pinned no longer"), "by its node");
    assert_eq!(scene.ok("cache pins -q"), "");
}

#[test]
fn a_pin_is_one_artifact_of_a_plain_name() {
    let scene = Scene::new();
    scene.ok("run test.ron a");
    insta::assert_snapshot!(scene.fails("pin b"), @r"
    exit 2
      × node `b` has no artifact in the store: never ran
      help: make it first: `hyper-flow run b`
    ");
    scene.ok("run test.ron");
    for name in ["../x", "a/b", ".hidden", "@@x"] {
        assert!(scene.fails(&format!("tag b {name}")).contains("cannot be the name of a pin"), "{name}");
    }
    scene.ok("tag b mine");
    scene.ok("tag b mine");
    insta::assert_snapshot!(scene.fails("tag c mine"), @r"
    exit 2
      × `mine` is the name of another artifact, of b
      help: use another name, or `hyper-flow unpin mine` first
    ");
}

#[test]
fn what_is_removed_is_made_anew_and_what_needs_it_is_told() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    insta::assert_snapshot!(scene.ok("rm a"), @r"
    a: its artifact of 8 B is forgotten; the next run makes it anew
      cached again if it comes out the same: b, c, and what follows
    ");
    assert!(scene.ok("plan test.ron").contains("its record was removed"));
    insta::assert_snapshot!(scene.fails("rm a"), @r"
    exit 2
      × node `a` has no artifact in the store: its record was removed
      help: make it first: `hyper-flow run a`
    ");
    let events = scene.ok("run test.ron --json");
    assert!(events.contains(r#""ran":["a"],"cached":["b","c","merged"]"#), "{events}");

    scene.ok("tag merged good");
    insta::assert_snapshot!(scene.fails("rm merged"), @r"
    exit 2
      × node `merged` is pinned as `good`
      help: `hyper-flow unpin good` first, or `hyper-flow rm merged --force`
    ");
    insta::assert_snapshot!(
        scene.ok("rm merged --force"),
        @"merged: its artifact of 12 B is forgotten, and the pin @good; the next run makes it anew"
    );
    assert_eq!(scene.ok("cache pins -q"), "");
    scene.ok(COLLECT);
    scene.ok("run test.ron");
    assert!(is_cached(&scene, "test.ron"));
}
