//! What the reporting commands print.

use super::scene::{Scene, filters};

#[test]
fn plan_tells_states_and_reasons() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.ok("plan test.ron"), @r"
    run  a       Command  never ran
    run  b       Command  never ran
    run  c       Command  never ran
    run  merged  Command  never ran
    test: 4 to run, 0 cached
    ");
    scene.ok("run test.ron");
    insta::assert_snapshot!(scene.ok("plan test.ron"), @r"
    cached  a       Command  in the store
    cached  b       Command  in the store
    cached  c       Command  in the store
    cached  merged  Command  in the store
    test: nothing to do, 4 cached
    ");
    scene.edit("sort ", "sort -r ");
    insta::assert_snapshot!(scene.ok("plan test.ron"), @r#"
    cached  a       Command  in the store
    run     b       Command  params.program.2: "sort $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt" → "sort -r $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"
    cached  c       Command  in the store
    maybe   merged  Command  input b will run
    test: 1 to run, 1 maybe, 2 cached
    "#);
    insta::assert_snapshot!(scene.ok("plan test.ron c"), @r"
    cached  a  Command  in the store
    cached  c  Command  in the store
    test: nothing to do, 2 cached
    ");
    insta::assert_snapshot!(scene.ok("plan test.ron --quiet"), @r"
    b
    merged
    ");
    insta::assert_snapshot!(scene.ok("plan test.ron b --color always"), @r#"
    [32mcached[0m  [2ma[0m  [2mCommand[0m  [2min the store[0m
    [33mrun   [0m  b  [2mCommand[0m  params.program.2: "sort $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt" → "sort -r $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"
    [1mtest: 1 to run, 1 cached[0m
    "#);
}

#[test]
fn plan_as_json_has_the_promised_fields() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write("data.txt", "three\n");
    let mut plan = scene.json("plan test.ron --json");
    for node in plan["nodes"].as_array_mut().unwrap() {
        node.as_object_mut().unwrap().remove("key");
    }
    insta::assert_snapshot!(format!("{plan:#}"), @r#"
    {
      "pipeline": "test",
      "nodes": [
        {
          "name": "a",
          "kind": "Command",
          "state": "run",
          "reason": "file data.txt changed"
        },
        {
          "name": "b",
          "kind": "Command",
          "state": "maybe",
          "reason": "input a will run"
        },
        {
          "name": "c",
          "kind": "Command",
          "state": "maybe",
          "reason": "input a will run"
        },
        {
          "name": "merged",
          "kind": "Command",
          "state": "maybe",
          "reason": "input b may change; input c may change"
        }
      ]
    }
    "#);
}

#[test]
fn what_plan_says_is_what_run_does() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    // `c` takes the first line only, so that it yields the same bytes: `merged` runs because of `b`.
    scene.write("data.txt", "two\nthree\n");
    let plan = scene.json("plan test.ron --json");
    let states: Vec<&str> =
        plan["nodes"].as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["run", "maybe", "maybe", "maybe"]);
    scene.ok("run test.ron");
    assert_eq!(scene.ok("plan --quiet"), "");
    scene.write("data.txt", "two\none\n");
    assert_eq!(scene.ok("plan --quiet"), "", "the old data is remembered");
}

#[test]
fn why_follows_a_change_to_its_beginning() {
    let scene = Scene::new();
    let _filters = filters();
    insta::assert_snapshot!(scene.ok("why test.ron merged"), @r"
    merged (Command): run
      never ran
    ");
    scene.ok("run test.ron");
    insta::assert_snapshot!(scene.ok("why merged"), @r"
    merged (Command): cached
      in the store
      key [DIGEST]
      made [AGO] in [TIME], by run [RUN]
    ");
    scene.edit("tr a-z A-Z", "cat");
    scene.write("data.txt", "four\n");
    insta::assert_snapshot!(scene.ok("why a"), @r#"
    a (Command): run
      params.program.2: "tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&… → "cat < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2"
      file data.txt changed
      key [DIGEST]
    "#);
    insta::assert_snapshot!(scene.ok("why merged"), @r#"
    merged (Command): maybe
      inputs.left: b changed because a: params.program.2: "tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&… → "cat < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2"; a: file data.txt changed
      inputs.right: c changed because a: params.program.2: "tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&… → "cat < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2"; a: file data.txt changed
    "#);
    let why = scene.json("why merged --json");
    insta::assert_snapshot!(format!("{:#}", why["causes"][0]["because"]), @r#"
    [
      {
        "node": "a",
        "text": "params.program.2: \"tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&… → \"cat < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2\""
      },
      {
        "node": "a",
        "text": "file data.txt changed"
      }
    ]
    "#);
}

#[test]
fn an_environment_variable_is_a_reason() {
    let scene = Scene::empty();
    scene.write(
        "env.ron",
        r#"Pipeline(name: "e", nodes: {"a": Command(program: ["sh", "-c", "echo $X > $FLOW_OUT/x"], env: ["X"])})"#,
    );
    let with = |line: &str, value: &str| scene.text(&scene.command(line).env("X", value).output().unwrap().stdout);
    with("run env.ron", "1");
    assert_eq!(with("plan -q", "1"), "");
    assert_eq!(with("why a -q", "2"), "env.X: \"1\" → \"2\"\n");
    assert_eq!(scene.ok("why a -q"), "env.X: \"1\" → none\n");
}

#[test]
fn set_changes_what_is_planned() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    let mut command = scene.command("why b -q");
    let output = command.arg(r#"--set=b.program=["true"]"#).output().unwrap();
    insta::assert_snapshot!(scene.text(&output.stdout), @r#"params.program: ["sh", "-c", "sort $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"] → ["true"]"#);
}

#[test]
fn ls_lists_the_artifact_of_the_last_run_too() {
    let scene = Scene::new();
    let _filters = filters();
    insta::assert_snapshot!(scene.ok("ls"), @r"
    NODE    KIND     ARTIFACT  STATE  SIZE  KEY  USED
    a       Command  Files     run       -  -    -
    b       Command  Files     run       -  -    -
    c       Command  Files     run       -  -    -
    merged  Command  Files     run       -  -    -
    ");
    scene.ok("run test.ron");
    scene.edit("sort ", "sort -r ");
    insta::assert_snapshot!(scene.ok("ls"), @r"
    NODE    KIND     ARTIFACT  STATE   SIZE  KEY           USED
    a       Command  Files     cached   8 B  [KEY]  [AGO]
    b       Command  Files     run      8 B  [KEY]  [AGO]
    c       Command  Files     cached   4 B  [KEY]  [AGO]
    merged  Command  Files     maybe   12 B  [KEY]  [AGO]
    ");
    assert_eq!(scene.ok("ls -q"), "a\nb\nc\nmerged\n");
}

#[test]
fn show_tells_all_of_a_record() {
    let scene = Scene::empty();
    let _filters = filters();
    let metrics = r#"{"rows": [{"candidate": "teacher", "steps": 8, "frechet": 34.25, "reward": null},
        {"candidate": "unified", "steps": 8, "frechet": 9.0, "reward": 0.00012, "intervals": {"frechet": [8.5, 10.0]}}]}"#;
    scene.write("metrics.json", metrics);
    scene.write(
        "eval.ron",
        r#"Pipeline(name: "eval", nodes: {"eval": Command(output: Metrics, files: {"metrics": "metrics.json"},
            program: ["sh", "-c", "cp $FLOW_FILE_METRICS $FLOW_OUT/metrics.json; touch $FLOW_OUT/grid.png"])})"#,
    );
    scene.ok("run eval.ron");
    insta::assert_snapshot!(scene.ok("show eval"), @r#"
    eval (Command → Metrics)
      artifact  [DIGEST]
      key       [DIGEST]
      size      202 B, 2 files
      kind      Command, version 1
      made      [AGO] in [TIME], by run [RUN]
      by        1 thread, hyper-flow 0.1.0
    made again by
      hyper-flow run eval.ron eval
    parameters
      output   "Metrics"
      program  ["sh", "-c", "cp $FLOW_FILE_METRICS $FLOW_OUT/metrics.json; touch $FLOW_OUT/grid.png"]
    defaults
      env: [], inputs: ()
    from outside
      files.metrics  [DIR]/metrics.json ([KEY])
    metrics
      candidate  steps     frechet     reward
      teacher        8       34.25          -

      unified        8  9.00 ±0.75  0.0001200

      Of frechet lower is better, of all else higher.
      The trainings have seen the reward.
      ±: half of what holds 95 % of resamples of the pictures.
    files
      grid.png      0 B
      metrics.json  202 B
    pictures
      [DIR]/.cache/hyper-flow/pictures/eval-[ARTIFACT]/grid.png
    "#);
    assert_eq!(scene.ok("show eval metrics.json"), metrics);
    assert_eq!(scene.json("show eval --json")["metrics"]["rows"][0]["frechet"], 34.25);
    insta::assert_snapshot!(scene.fails("show eval metric.json"), @r"
    exit 2
      × the artifact has no file `metric.json`
      help: it has: grid.png, metrics.json
    ");
}

#[test]
fn show_says_when_an_artifact_is_an_old_one() {
    let scene = Scene::new();
    let _filters = filters();
    insta::assert_snapshot!(scene.fails("show b"), @r"
    exit 2
      × node `b` has no artifact in the store: never ran
      help: make it first: `hyper-flow run b`
    ");
    scene.ok("run test.ron");
    scene.edit("sort ", "sort -r ");
    insta::assert_snapshot!(scene.ok("show b"), @r#"
    b (Command → Files)
      of its last run; since then: params.program.2: "sort $FLOW_IN_X/a.txt >
      $FLOW_OUT/b.txt" → "sort -r $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"
      artifact  [DIGEST]
      key       [DIGEST]
      size      8 B, 1 file
      kind      Command, version 1
      made      [AGO] in [TIME], by run [RUN]
      by        1 thread, hyper-flow 0.1.0
    made again by
      hyper-flow run test.ron b
      if the file is what it was then:
      [DIR]/.hyper-flow/runs/[RUN]/pipeline.ron
    parameters
      program  ["sh", "-c", "sort $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"]
    defaults
      env: [], files: (), output: "Files"
    made from
      inputs.x: a (Command)  [KEY]
    used by
      merged (Command) as inputs.left
    files
      b.txt  8 B
    "#);
}

#[test]
fn log_shows_the_run_that_made_the_artifact() {
    let scene = Scene::new();
    let _filters = filters();
    scene.ok("run test.ron");
    scene.edit("sort ", "sort -r ");
    scene.ok("run test.ron");
    insta::assert_snapshot!(scene.ok("log a"), @r"
    a in run [RUN]: done in [TIME]
    standard error
    said
    all of it: [DIR]/.hyper-flow/runs/[RUN]/nodes/a
    ");
    assert_eq!(scene.ok("log a -q"), "said\n");
    insta::assert_snapshot!(scene.fails("log z"), @r"
    exit 2
      × there is no node `z` in [DIR]/test.ron
      help: the nodes are `a`, `b`, `c`, `merged`
    ");
}

#[test]
fn log_tells_of_a_failure() {
    let scene = Scene::empty();
    let _filters = filters();
    scene.write(
        "bad.ron",
        r#"Pipeline(name: "bad", nodes: {"a": Command(program: ["sh", "-c", "echo broken >&2; exit 3"])})"#,
    );
    assert_eq!(scene.command("run").output().unwrap().status.code(), Some(1));
    insta::assert_snapshot!(scene.ok("log a"), @r"
    a in run [RUN]: failed
      it exited with code 3
    standard error
    broken
    all of it: [DIR]/.hyper-flow/runs/[RUN]/nodes/a
    ");
}

/// A store that remembers a training of so many steps.
fn trained(steps: u32) -> Scene {
    let scene = Scene::empty();
    scene.write("t.ron", r#"Pipeline(name: "t", nodes: {"a": Command(program: ["true"])})"#);
    let run = ".hyper-flow/runs/20260101-000000-000-abcd";
    scene.ok("ls");
    let step = |step: u32| {
        format!(
            r#"{{"time":"","node":"a","event":"step","step":{step},"of":{steps},"losses":{{"loss":{},"mse":0.5}}}}"#,
            100.0 / f64::from(step)
        )
    };
    let events: Vec<String> = (1..=steps).map(step).collect();
    let events = format!(
        "{}\n{}\n{}\n",
        r#"{"node":"a","event":"node_started"}"#,
        events.join("\n"),
        r#"{"node":"a","event":"node_ran","seconds":61.0}"#
    );
    scene.write(&format!("{run}/events.jsonl"), &events);
    let file = scene.path().join("t.ron").canonicalize().unwrap();
    scene.write(&format!("{run}/run.json"), &serde_json::json!({"pipeline": file, "name": "t"}).to_string());
    scene
}

#[test]
fn log_thins_out_the_losses_of_a_training() {
    let scene = trained(200);
    let _filters = filters();
    insta::assert_snapshot!(scene.ok("log a"), @r"
    a in run [RUN]: done in 1 min 1 s
         step    loss     mse
        1/200   100.0  0.5000
       23/200   4.348  0.5000
       45/200   2.222  0.5000
       67/200   1.493  0.5000
       89/200   1.124  0.5000
      111/200  0.9009  0.5000
      133/200  0.7519  0.5000
      155/200  0.6452  0.5000
      177/200  0.5650  0.5000
      200/200  0.5000  0.5000
    all of it: [DIR]/.hyper-flow/runs/[RUN]/nodes/a
    ");
    let steps = scene.json("log a --json")["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), 200);
    assert_eq!(steps[199], serde_json::json!({"step": 200, "of": 200, "losses": {"loss": 0.5, "mse": 0.5}}));
}

#[test]
fn the_log_of_a_long_training_needs_little_memory() {
    let scene = trained(300_000);
    for more in ["", " --json"] {
        let engine = scene.command(&format!("log a{more}"));
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -v 100000 && exec \"$0\" \"$@\""]).arg(engine.get_program());
        let output = command.args(engine.get_args()).current_dir(scene.path()).output().unwrap();
        assert!(output.status.success(), "{}", scene.text(&output.stderr));
        assert!(scene.text(&output.stdout).contains("300000"));
    }
}

#[test]
fn graphs_are_drawn() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.ok("graph merged"), @r#"
    digraph "test" {
        rankdir=LR;
        node [shape=box];
        "a" [label="a\nCommand"];
        "b" [label="b\nCommand"];
        "c" [label="c\nCommand"];
        "merged" [label="merged\nCommand"];
        "a" -> "b" [label="inputs.x"];
        "a" -> "c" [label="inputs.x"];
        "b" -> "merged" [label="inputs.left"];
        "c" -> "merged" [label="inputs.right"];
    }
    "#);
    insta::assert_snapshot!(scene.ok("graph b --format mermaid"), @r#"
    flowchart LR
        n0["a<br>Command"]
        n1["b<br>Command"]
        n0 -->|inputs.x| n1
    "#);
    assert_eq!(scene.json("graph b --json")["edges"][0]["from"], "a");
}

#[test]
fn completions_ask_the_command() {
    let scene = Scene::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(scene.ok(&format!("completions {shell}")).contains("HYPER_FLOW_COMPLETE"), "{shell}");
    }
}
