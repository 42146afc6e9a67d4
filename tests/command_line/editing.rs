//! `lsp` and `fmt`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::editor::Editor;
use super::scene::Scene;

const ABLATION: &str = include_str!("../../pipelines/ablation.ron");
const DIGITS: &[u8] = include_bytes!("../../pipelines/data/digits.csv.gz");

/// A folder in which ablation.ron is right.
fn scene() -> Scene {
    let scene = Scene::empty();
    std::fs::create_dir(scene.path().join("data")).unwrap();
    std::fs::write(scene.path().join("data/digits.csv.gz"), DIGITS).unwrap();
    scene
}

fn ablation(scene: &Scene) -> Editor {
    let mut editor = Editor::open(scene, "ablation.ron", ABLATION);
    assert_eq!(editor.diagnostics(), Vec::<Value>::new());
    editor
}

#[test]
fn mistakes_are_underlined_while_the_text_is_unsaved() {
    let scene = scene();
    let mut editor = ablation(&scene);
    let typo = ABLATION.replacen("TrainClip(data: \"digits\", steps", "TrainClip(data: \"digitz\", stepz", 1);
    let told = editor.type_in(&typo);
    insta::assert_snapshot!(editor.underlined(&told).join("\n"), @r#"
    "digitz": there is no node `digitz`
    stepz: `TrainClip` has no field `stepz`
    "#);
    assert!(told[1]["message"].as_str().unwrap().contains("did you mean `steps`?"), "{told:?}");
    assert_eq!(editor.type_in(ABLATION), Vec::<Value>::new());

    let broken = editor.type_in(&ABLATION.replacen("threads: 1)", "threads: 1", 1));
    assert_eq!(editor.underlined(&broken).len(), 1, "{broken:?}");
    // RON of another sort is none of its business.
    assert_eq!(editor.type_in("(window: (width: 3), x: [1"), Vec::<Value>::new());
    assert_eq!(editor.type_in("{\"guidance\": 2.0}"), Vec::<Value>::new());
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_mistake_of_two_places_names_the_other() {
    let scene = scene();
    let mut editor = Editor::open(&scene, "p.ron", "");
    let text = "Pipeline(name: \"é𝄞\", nodes: {\n  \"𝄞\": Command(program: [\"true\"]), \"𝄞\": Command(program: [\"true\"]),\n})";
    let told = editor.type_in(text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["range"]["start"], json!({"line": 1, "character": 36}));
    assert_eq!(told[0]["relatedInformation"][0]["location"]["range"]["start"], json!({"line": 1, "character": 2}));
}

#[test]
fn what_may_come_is_offered() {
    let scene = scene();
    let mut editor = ablation(&scene);
    let with = |old: &str, new: &str| ABLATION.replacen(old, new, 1);

    editor.type_in(&with("\"judge\": TrainJudge", "\"new\": Seg\n        \"judge\": TrainJudge"));
    assert!(editor.offered("\"new\": Seg|").contains(&"SegmentDistill".to_owned()));
    let kinds = editor.at("textDocument/completion", "\"new\": Seg|", json!({}));
    let kind = kinds.as_array().unwrap().iter().find(|item| item["label"] == "SegmentDistill").unwrap();
    assert_eq!(kind["textEdit"]["newText"], "SegmentDistill(teacher: \"$1\", data: \"$2\", segments: $3, steps: $4)");
    assert_eq!(editor.piece(&kind["textEdit"]["range"]), "Seg");

    // Those that must be given come first, and those that are there are left out.
    editor.type_in(&with("TrainJudge(data: \"digits\", steps: 1000,", "TrainJudge(data: \"digits\", "));
    let fields = editor.offered("TrainJudge(data: \"digits\", | lr");
    assert_eq!(fields[0], "steps");
    assert!(!fields.contains(&"data".to_owned()) && !fields.contains(&"lr".to_owned()), "{fields:?}");

    editor.type_in(&with("text: \"clip\"", "text: \"\""));
    assert_eq!(editor.offered("text: \"|\""), ["clip", "clip-held-out"]);
    editor.type_in(&with("prediction: V", "prediction: "));
    assert_eq!(editor.offered("prediction: |,")[..2], ["Epsilon", "V"]);
    editor.type_in(&with("segments: Param(\"method.first\")", "segments: Param(\"\")"));
    assert!(editor.offered("segments: Param(\"|\")").contains(&"method.first".to_owned()));
    editor.type_in(&with("\"*\": (threads: 1)", "\"*\": (threads: 1, )"));
    let settings = editor.offered("(threads: 1, |)");
    assert!(settings.contains(&"sample_every".to_owned()) && !settings.contains(&"threads".to_owned()), "{settings:?}");
    editor.type_in("");
    let whole = editor.ask(
        "textDocument/completion",
        json!({"textDocument": {"uri": editor.uri()}, "position": {"line": 0, "character": 0}}),
    );
    assert_eq!(whole[0]["label"], "Pipeline(…)");
}

#[test]
fn what_is_pointed_at_is_explained() {
    let scene = scene();
    let mut editor = ablation(&scene);
    let mut hover = |piece: &str| {
        let told = editor.at("textDocument/hover", piece, json!({}));
        told["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let kind = hover("\"clip\": Train|Clip");
    assert!(kind.starts_with("**TrainClip** → Clip") && kind.contains("```ron\n\"clip\": TrainClip("), "{kind}");
    assert!(hover("lr_war|mup: 30").starts_with("**lr_warmup**: a whole number, 0 or above"));
    assert!(hover("distance: Ms|e").starts_with("**Mse**"));
    assert!(hover("text: \"cl|ip\"").starts_with("`clip`: **TrainClip** → Clip"));
    assert!(hover("Param(\"guid|ance\")").contains("1.5"));
    assert!(hover("\"{method}-1-{re|gime}@{seed}\": ").contains("120-on-200"));
    assert!(hover("(thre|ads: 1)").starts_with("**threads**"));
}

#[test]
fn names_lead_to_where_they_are_defined_and_used() {
    let scene = scene();
    let mut editor = ablation(&scene);
    let mut defined = |piece: &str| {
        let found = editor.at("textDocument/definition", piece, json!({}));
        let ranges = found.as_array().unwrap().iter().map(|place| editor.piece(&place["range"]).to_owned());
        ranges.collect::<Vec<_>>()
    };
    assert_eq!(defined("data: \"di|gits\""), ["\"digits\""]);
    assert_eq!(defined("student: \"{meth|od}-1-{regime}@{seed}\""), ["\"{method}-1-{regime}@{seed}\""]);
    assert_eq!(defined("Param(\"method.fi|rst\")"), ["\"method\""]);
    assert_eq!(defined("Param(\"guid|ance\")"), ["\"guidance\""]);
    let uses = editor.at("textDocument/references", "\"ju|dge\": ", json!({"context": {"includeDeclaration": true}}));
    assert_eq!(uses.as_array().unwrap().len(), ABLATION.matches("\"judge\"").count());
    let symbols = editor.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": editor.uri()}}));
    assert_eq!((&symbols[1]["name"], &symbols[1]["detail"]), (&json!("clip"), &json!("TrainClip")));
}

/// A renamed pipeline is the same pipeline: only names differ.
#[test]
fn a_renamed_node_is_renamed_everywhere() {
    let scene = scene();
    let mut editor = ablation(&scene);
    let mut renamed = |piece: &str, name: &str| {
        let answer = editor.at("textDocument/rename", piece, json!({"newName": name}));
        match answer["changes"].as_object() {
            Some(changes) => Ok(editor.edited(changes.values().next().unwrap())),
            None => Err(answer["message"].as_str().unwrap_or_default().to_owned()),
        }
    };
    let new = renamed("text: \"cl|ip\"", "reader").unwrap();
    assert!(
        new.contains("\"reader\": TrainClip(") && new.contains("text: \"reader\"") && !new.contains("\"clip\""),
        "{new}"
    );
    scene.write("new.ron", &new);
    assert_eq!(scene.ok("check new.ron"), "ok: 338 nodes\n");

    let new = renamed("\"{method}-2-{regi|me}@{seed}\": ", "second-{regime}-{method}@{seed}").unwrap();
    assert!(!new.contains("{method}-2-{regime}"), "{new}");
    scene.write("new.ron", &new);
    assert_eq!(scene.ok("check new.ron"), "ok: 338 nodes\n");

    let refused = [
        renamed("text: \"cl|ip\"", "judge"),
        renamed("\"{method}-2-{regi|me}@{seed}\": ", "second@{seed}"),
        renamed("text: \"cl|ip\"", ""),
    ];
    insta::assert_snapshot!(refused.map(Result::unwrap_err).join("\n"), @"
    there is a node `judge` already
    `{method}-2-{regime}@{seed}` has `{method}`, `{regime}`, `{seed}` in its name, and the new one must have the same
    this cannot be a name
    ");
}

#[test]
fn nodes_of_a_matrix_are_renamed_where_only_some_are_named() {
    let text = r#"Pipeline(name: "p", matrix: {"arm": ["a", "b"], "seed": [1, 2]}, nodes: {
    "{arm}@{seed}": Command(program: ["true"]),
    "last": Command(program: ["true"], inputs: {"one": "a@1", "{arm}": "{arm}@2"}),
}, settings: {"{arm}@{seed}": (threads: 1), "b@2": (seed: 3)})"#;
    let scene = Scene::empty();
    let mut editor = Editor::open(&scene, "p.ron", text);
    assert_eq!(editor.diagnostics(), Vec::<Value>::new());
    let answer = editor.at("textDocument/rename", "\"{arm}@{se|ed}\": Command", json!({"newName": "x{seed}-{arm}"}));
    let new = editor.edited(answer["changes"].as_object().unwrap().values().next().unwrap());
    insta::assert_snapshot!(new, @r#"
    Pipeline(name: "p", matrix: {"arm": ["a", "b"], "seed": [1, 2]}, nodes: {
        "x{seed}-{arm}": Command(program: ["true"]),
        "last": Command(program: ["true"], inputs: {"one": "x1-a", "{arm}": "x2-{arm}"}),
    }, settings: {"x{seed}-{arm}": (threads: 1), "x2-b": (seed: 3)})
    "#);
    assert_eq!(editor.type_in(&new), Vec::<Value>::new());
}

#[test]
fn a_text_is_formatted_and_comments_stay() {
    let scene = scene();
    let mut editor = Editor::open(&scene, "ablation.ron", "");
    let rough = ABLATION.replace("    ", "\t").replace(": ", " :").replace("),\n", ") ,\n");
    editor.type_in(&rough);
    let options = json!({"tabSize": 4, "insertSpaces": true});
    let edits =
        editor.ask("textDocument/formatting", json!({"textDocument": {"uri": editor.uri()}, "options": options}));
    let formatted = editor.edited(&edits);
    assert_eq!(formatted.matches("//").count(), ABLATION.matches("//").count());
    scene.write("ablation.ron", &formatted);
    assert_eq!(scene.ok("check ablation.ron"), "ok: 338 nodes\n");
    assert_eq!(scene.ok("fmt ablation.ron"), "ablation.ron: as it was\n");
}

#[test]
fn files_are_formatted() {
    let scene = Scene::empty();
    scene.write("a.ron", "// why\nPipeline( name:\"a\" ,\nnodes : {},) // end\n\n");
    scene.write("b.ron", "(\n    a: [1, 2],\n)\n");
    insta::assert_snapshot!(scene.fails("fmt --check a.ron b.ron"), @"
    exit 2
      × a.ron is not formatted
      help: `hyper-flow fmt a.ron` does it
    ");
    assert_eq!(scene.ok("fmt -q --check b.ron"), "");
    assert_eq!(scene.ok("fmt a.ron b.ron"), "a.ron: formatted\nb.ron: as it was\n");
    insta::assert_snapshot!(scene.read("a.ron"), @r#"
    // why
    Pipeline(name: "a",
        nodes: {},) // end
    "#);
    assert_eq!(scene.json("fmt --json a.ron"), json!([{"file": "a.ron", "changed": false}]));
    scene.write("a.ron", "(a: [1)");
    assert!(scene.fails("fmt a.ron").contains("syntax error: `[` is closed by `)`"));
    assert_eq!(scene.read("a.ron"), "(a: [1)");
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let scene = Scene::empty();
    scene.write("in", "(a:1,b :[ 2 ])");
    let input = std::fs::File::open(scene.path().join("in")).unwrap();
    let output = scene.command("fmt -").stdin(Stdio::from(input)).output().unwrap();
    assert_eq!(scene.text(&output.stdout), "(a: 1, b: [2])\n");
}

#[test]
fn pipelines_that_ship_are_formatted() {
    let scene = Scene::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "ron")).collect();
    let output = scene.command("fmt --check").args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A real editor, where there is one: CI installs it.
#[test]
fn neovim_works_with_it() {
    let is_there = Command::new("nvim").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "CI has Neovim");
        return;
    }
    let scene = scene();
    scene.write("ablation.ron", ABLATION);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editor/neovim.lua");
    let output = Command::new("nvim")
        .args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "ablation.ron", "-c"])
        .arg(format!("luafile {}", script.display()))
        .current_dir(scene.path())
        .env("HYPER_FLOW", env!("CARGO_BIN_EXE_hyper-flow"))
        .env("HOME", scene.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", scene.text(&output.stdout), scene.text(&output.stderr)));
    assert_eq!(told["error"], Value::Null, "{told}");
    assert_eq!(told["typo"][0]["under"], "segmetns", "{told}");
    assert_eq!(told["nodes"][0], "teacher", "{told}");
    assert!(told["hover"].as_str().unwrap().starts_with("**solver_steps**"), "{told}");
    assert_eq!((&told["left"], &told["symbols"]), (&json!(0), &json!(23)), "{told}");
    assert_eq!(scene.ok("check ablation.ron"), "ok: 338 nodes\n");
}
