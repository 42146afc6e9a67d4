//! Runs of before: their list, one of them, two beside each other, and what other commands have from one.

use insta::internals::SettingsBindDropGuard;

use super::scene::{Scene, filters};
use crate::pty::Pty;

/// A pipeline of two nodes with a parameter, run twice: as it is, and with another value.
fn two_runs() -> Scene {
    let scene = Scene::empty();
    scene.write("p.ron", TWO);
    scene.ok("run p.ron");
    scene.ok("run p.ron --set params.word=\"second\"");
    scene
}

/// As [`filters`], and for when nodes ran and how long.
fn of_runs() -> (SettingsBindDropGuard, SettingsBindDropGuard) {
    let usual = filters();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "[WHEN]");
    settings.add_filter(r"\b\d+\.\d s", "[TIME]");
    (settings.bind_to_scope(), usual)
}

const TWO: &str = r#"Pipeline(name: "two", params: {"word": "first"}, nodes: {
    "say":  Command(program: ["sh", "-c", "echo $0 > $FLOW_OUT/said.txt", Param("word")]),
    "loud": Command(program: ["sh", "-c", "tr a-z A-Z < $FLOW_IN_X/said.txt > $FLOW_OUT/loud.txt"], inputs: {"x": "say"}),
})"#;

#[test]
fn runs_are_listed_with_what_was_changed() {
    let scene = two_runs();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d{8}-\d{6}(-\d{3}-[0-9a-f]{4})?\b", "[RUN]");
    settings.add_filter(r"\b\d+\.\d s", "[TIME]");
    settings.add_filter(r" {2,}", "  ");
    let _scope = settings.bind_to_scope();
    insta::assert_snapshot!(scene.ok("runs"), @r#"
    RUN  WHEN  PIPELINE  CHANGED  RESULT  TIME
    [RUN]  just now  two  params.word="second"  done  [TIME]
    [RUN]  just now  two  -  done  [TIME]
    "#);
    insta::assert_snapshot!(scene.ok("runs -n 1"), @r#"
    RUN  WHEN  PIPELINE  CHANGED  RESULT  TIME
    [RUN]  just now  two  params.word="second"  done  [TIME]
    and 1 older: `--all`
    "#);
    insta::assert_snapshot!(scene.ok("runs --all --quiet"), @r"
    [RUN]
    [RUN]
    ");
    insta::assert_snapshot!(scene.ok("runs other.ron"), @"no run is kept yet");
    let json = scene.json("runs --json");
    assert_eq!(json["runs"][0]["set"][0], "params.word=\"second\"");
    assert_eq!((&json["runs"][1]["ending"], &json["older"]), (&"done".into(), &0.into()));
}

#[test]
fn a_run_is_shown_by_any_of_its_names() {
    let scene = two_runs();
    let _filters = of_runs();
    insta::assert_snapshot!(scene.ok("runs show last"), @r#"
    [RUN] of two: done in [TIME]
      started    [WHEN] ([AGO])
      pipeline   [DIR]/p.ron
      set        params.word="second"
      command    run p.ron --set params.word="second"
      version    0.1.0
      directory  [DIR]/.hyper-flow/runs/[RUN]
    NODE  KIND     STATE  TIME   KEY
    say   Command  ran    [TIME]  [KEY]
    loud  Command  ran    [TIME]  [KEY]
    once more, as it was then: `hyper-flow run --run [RUN]`
    "#);
    let id = scene.json("runs --json")["runs"][1]["run"].as_str().unwrap().to_owned();
    for name in ["last~1", &id, &id[id.len() - 4..]] {
        assert_eq!(scene.json(&format!("runs show {name} --json"))["id"], id.as_str(), "{name}");
    }
    insta::assert_snapshot!(scene.fails("runs show last~2"), @r"
    exit 2
      × there is no run `last~2`
      help: the newest: [RUN], [RUN]
    ");
    insta::assert_snapshot!(scene.ok("runs path"), @"[DIR]/.hyper-flow/runs");
    assert!(scene.ok(&format!("runs path {id}")).trim_end().ends_with(&id));
}

#[test]
fn other_commands_look_at_a_run_without_its_settings() {
    let scene = two_runs();
    let _filters = filters();
    scene.write("p.ron", &TWO.replace("first", "third"));
    assert_eq!(scene.ok("show --run last say said.txt"), "second\n");
    assert_eq!(scene.ok("show p.ron --run last~1 loud loud.txt"), "FIRST\n");
    scene.ok("export --run last~1 say out");
    assert_eq!(scene.read("out/said.txt"), "first\n");
    insta::assert_snapshot!(scene.ok("plan p.ron"), @r#"
    run    say   Command  params.program.3: "second" → "third"
    maybe  loud  Command  input say will run
    two: 1 to run, 1 maybe, 0 cached
    "#);
    insta::assert_snapshot!(scene.ok("plan --run last"), @r"
    cached  say   Command  in the store
    cached  loud  Command  in the store
    two: nothing to do, 2 cached
    ");
    insta::assert_snapshot!(scene.ok("why --run last~1 say"), @r"
    say (Command): cached
      in the store
      key [DIGEST]
      made [AGO] in [TIME], by run [RUN]
    ");
    assert!(scene.ok("log --run last~1 say").starts_with("say in run"));
    scene.ok("run --run last~1");
    insta::assert_snapshot!(scene.fails("show --run last nobody"), @r"
    exit 2
      × run `[RUN]` has no node `nobody`
      help: the nodes that it had are `say`, `loud`
    ");
    insta::assert_snapshot!(scene.fails("show --run 1999 say"), @r"
    exit 2
      × there is no run `1999`
      help: the newest: [RUN], [RUN], [RUN]
    ");
    insta::assert_snapshot!(scene.fails("plan --run last --set params.word=1"), @r"
    exit 2
    error: the argument '--run <RUN>' cannot be used with '--set <NODE.FIELD=RON>'

    Usage: hyper-flow plan [OPTIONS] [FILE] [TARGET]...

    For more information, try '--help'.
    ");
}

#[test]
fn parameters_are_kept_with_a_run() {
    let scene = Scene::empty();
    scene.write("p.ron", TWO);
    scene.write("mine.ron", r#"{"word": "mine"}"#);
    scene.ok("run p.ron --params mine.ron");
    std::fs::remove_file(scene.path().join("mine.ron")).unwrap();
    assert_eq!(scene.ok("plan --quiet --run last"), "");
    assert_eq!(scene.ok("show --run last say said.txt"), "mine\n");
}

#[test]
fn two_runs_are_compared() {
    let scene = two_runs();
    let _filters = filters();
    insta::assert_snapshot!(scene.ok("diff last~1 last"), @r#"
    a  [RUN]  of two
    b  [RUN]  of two  --set params.word="second"
    say
      params.program.3: "first" → "second"
    loud
      inputs.x: another artifact
    "#);
    insta::assert_snapshot!(scene.ok("diff say@last~1 say@last"), @r#"
    a  say@[RUN]  of two
    b  say@[RUN]  of two  --set params.word="second"
    say
      params.program.3: "first" → "second"
    "#);
    insta::assert_snapshot!(scene.ok("diff say last"), @r#"
    a  say of two, as it is now
    b  [RUN]  of two  --set params.word="second"
    say
      params.program.3: "first" → "second"
    "#);
    assert_eq!(scene.ok("diff last~1 last --quiet"), "say\nloud\n");
    insta::assert_snapshot!(scene.ok("diff last last"), @r#"
    a  [RUN]  of two  --set params.word="second"
    b  [RUN]  of two  --set params.word="second"
    no difference in 2 nodes
    "#);
    let json = scene.json("diff last~1 last --json");
    assert_eq!((&json["nodes"][0]["settings"][0]["a"], &json["same"]), (&"first".into(), &0.into()));
    insta::assert_snapshot!(scene.fails("diff last"), @r"
    exit 2
      × one word is given where [FILE] A B is wanted
      help: FILE is a pipeline, and its name ends in `.ron`
    ");
    insta::assert_snapshot!(scene.fails("diff nobody@last last"), @r"
    exit 2
      × run `[RUN]` has no node `nobody`
      help: the nodes that it had are `say`, `loud`
    ");
}

#[test]
fn pictures_and_numbers_stand_beside_each_other() {
    let scene = Scene::empty();
    let draw = r#"printf $0 > $FLOW_OUT/a.png; echo same > $FLOW_OUT/b.png; printf '{"rows":[{"candidate":"c","steps":1,"frechet":%s}]}' $0 > $FLOW_OUT/metrics.json"#;
    let draw = draw.replace('"', "\\\"");
    let text = format!(
        r#"Pipeline(name: "p", params: {{"n": "1.5"}}, nodes: {{"draw": Command(program: ["sh", "-c", "{draw}", Param("n")])}})"#
    );
    scene.write("p.ron", &text);
    scene.ok("run p.ron");
    scene.ok("run p.ron --set params.n=\"2.25\"");
    let _filters = filters();
    insta::assert_snapshot!(scene.ok("diff last~1 last"), @r#"
    a  [RUN]  of p
    b  [RUN]  of p  --set params.n="2.25"
    draw
      params.program.3: "1.5" → "2.25"
                       a      b    b - a
      c 1 frechet  1.500  2.250  +0.7500
      a.png: different
        a  [DIR]/.hyper-flow/objects/[OBJECT]
        b  [DIR]/.hyper-flow/objects/[OBJECT]
      b.png: same bytes
        a  [DIR]/.hyper-flow/objects/[OBJECT]
        b  [DIR]/.hyper-flow/objects/[OBJECT]
    "#);
}

#[test]
fn a_failure_is_known_afterwards() {
    let scene = Scene::empty();
    scene.write(
        "p.ron",
        r#"Pipeline(name: "p", nodes: {
        "bad": Command(program: ["sh", "-c", "exit 3"]),
        "after": Command(program: ["true"], inputs: {"x": "bad"}),
    })"#,
    );
    assert!(scene.fails("run p.ron").starts_with("exit 1\n"));
    let _filters = of_runs();
    insta::assert_snapshot!(scene.ok("plan"), @r"
    run  bad    Command  failed [AGO]: it exited with code 3
    run  after  Command  never ran
    p: 2 to run, 0 cached
    ");
    insta::assert_snapshot!(scene.ok("ls"), @r"
    NODE   KIND     ARTIFACT  STATE   SIZE  KEY  USED
    bad    Command  Files     failed     -  -    -
    after  Command  Files     run        -  -    -
    ");
    insta::assert_snapshot!(scene.ok("why bad"), @r"
    bad (Command): run
      failed [AGO]: it exited with code 3
      in run [RUN]
      key [DIGEST]
    ");
    insta::assert_snapshot!(scene.fails("show --run last bad"), @r"
    exit 2
      × node `bad` has no artifact of run `[RUN]` in the store: it failed: it exited with code 3
      help: `hyper-flow runs` lists the other runs
    ");
    insta::assert_snapshot!(scene.ok("runs show"), @r"
    [RUN] of p: failed in [TIME]
      started    [WHEN] ([AGO])
      pipeline   [DIR]/p.ron
      command    run p.ron
      version    0.1.0
      directory  [DIR]/.hyper-flow/runs/[RUN]
    NODE   KIND     STATE    TIME   KEY
    bad    Command  failed   [TIME]  [KEY]  it exited with code 3
    after  Command  skipped  -      -             it needs `bad`
    once more, as it was then: `hyper-flow run --run [RUN]`
    ");
    let plan = scene.json("plan --json");
    assert_eq!(plan["nodes"][0]["attempt"]["state"], "failed");
}

#[test]
fn advice_repeats_the_command_line() {
    let scene = Scene::empty();
    scene.write("p.ron", TWO);
    scene.ok("run p.ron --store kept");
    let _filters = filters();
    insta::assert_snapshot!(scene.fails("export p.ron --store kept --set params.word=\"new\" loud out"), @r#"
    exit 2
      × node `loud` has no artifact in the store: input say will run
      help: make it first: `hyper-flow run p.ron loud --set 'params.word="new"' --store kept`
    "#);
    insta::assert_snapshot!(scene.fails("log p.ron --store kept nobody"), @r"
    exit 2
      × there is no node `nobody` in [DIR]/p.ron
      help: the nodes are `loud`, `say`
    ");
}

#[test]
fn a_list_of_runs_fits_the_terminal() {
    let scene = two_runs();
    scene.ok("run p.ron --set params.word=\"a-word-that-is-longer-than-there-is-room-for-in-eighty-columns-of-text\"");
    let on = |terminal: Pty, environment: &[(&str, &str)]| {
        let (code, text) = terminal.run(scene.command("runs").envs(environment.iter().copied()));
        assert_eq!(code, Some(0), "{text}");
        text
    };
    let widest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
    let narrow = on(Pty::new(), &[("TERM", "dumb")]);
    assert!(
        widest(&narrow) <= 80 && narrow.contains("params.w") && narrow.contains('…') && !narrow.contains('\u{1b}'),
        "{narrow}"
    );
    let wide = on(Pty::of_size(200, 24), &[("TERM", "xterm"), ("NO_COLOR", "1")]);
    assert!(wide.contains("eighty-columns-of-text") && !wide.contains('\u{1b}'), "{wide}");
    assert!(on(Pty::new(), &[("TERM", "xterm")]).contains("\u{1b}[32mdone"));
    assert!(scene.ok("runs").contains("eighty-columns-of-text"), "nothing is cut in a pipe");
}
