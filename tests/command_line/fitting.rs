//! Tables and lines that fit their terminal, and are whole in a pipe.

use unicode_width::UnicodeWidthStr;

use super::scene::Scene;
use crate::pty::Pty;

/// A pipeline of long names, of which one node fails, run twice.
fn long_names() -> Scene {
    let scene = Scene::empty();
    scene.write(
        "p.ron",
        r#"Pipeline(name: "a-pipeline-with-a-name-that-says-much-about-it", params: {"word": "first"}, nodes: {
    "a node whose name is as long as a sentence can be": Command(program: ["sh", "-c", "echo $0 > $FLOW_OUT/said.txt", Param("word")]),
    "next": Command(program: ["sh", "-c", "echo it went wrong in a way that takes many words to tell, more than there is room for >&2; exit 3"],
        inputs: {"x": "a node whose name is as long as a sentence can be"}),
})"#,
    );
    let variant =
        r#"params.word="a-word-that-is-longer-than-there-is-room-for-in-eighty-columns-of-text-on-a-terminal""#;
    scene.command("run p.ron").output().unwrap();
    scene.command("run p.ron --set").arg(variant).output().unwrap();
    scene
}

/// Each of these has something that is wider than eighty columns.
const WIDE: [&str; 6] = ["plan p.ron", "ls p.ron", "runs", "runs show last", "diff last~1 last", "why p.ron next"];

/// What a command prints on a terminal of so many columns.
fn on(scene: &Scene, columns: u16, line: &str, environment: &[(&str, &str)]) -> String {
    let (code, text) = Pty::of_size(columns, 24).run(scene.command(line).envs(environment.iter().copied()));
    assert_eq!(code, Some(0), "{line}: {text}");
    scene.text(text.replace("\r\n", "\n").as_bytes())
}

/// The columns of the widest line but for those with what is to be copied, which is whole.
fn widest(text: &str) -> usize {
    let is_whole = |line: &&str| {
        let said = line.contains("params.word=") || line.contains(" of a-pipeline");
        line.starts_with("  key ")
            || line.contains("[DIR]")
            || line.contains("once more")
            || (said && !line.contains('…'))
    };
    text.lines().filter(|line| !is_whole(line)).map(|line| line.trim_end().width()).max().unwrap_or(0)
}

#[test]
fn nothing_is_wider_than_its_terminal_and_a_wide_one_is_used() {
    let scene = long_names();
    for line in WIDE {
        // The ends of a value that differs are never shorter than some 60 columns.
        let narrowest = if line.starts_with("diff") { 80 } else { 60 };
        for columns in [narrowest, 80, 200] {
            let text = on(&scene, columns, line, &[("TERM", "dumb")]);
            assert!(widest(&text) <= usize::from(columns), "{line} at {columns}:\n{text}");
            assert!(!text.contains('\u{1b}'), "{line}: {text:?}");
        }
    }
    for line in &WIDE[..4] {
        let wide = on(&scene, 200, line, &[("TERM", "dumb")]);
        assert!(widest(&wide) > 80, "{line}:\n{wide}");
    }
}

#[test]
fn a_pipe_and_wide_have_all_of_it() {
    let scene = long_names();
    for line in WIDE {
        let piped = scene.ok(line);
        assert_eq!(on(&scene, 60, &format!("{line} --wide"), &[("TERM", "dumb")]), piped, "{line}");
        assert!(!piped.contains("no room"), "{piped}");
        // The values of a difference are shortened wherever they are told.
        assert!(line.starts_with("diff") || !piped.contains('…'), "{piped}");
    }
}

#[test]
fn colours_take_no_columns() {
    let scene = long_names();
    for line in WIDE {
        let plain = on(&scene, 80, line, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert_eq!(plain, on(&scene, 80, line, &[("TERM", "dumb")]), "{line}");
        let colored = on(&scene, 80, line, &[("TERM", "xterm")]);
        let bare = strip(&colored);
        assert!(colored.contains('\u{1b}'), "{line}: {colored:?}");
        let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        assert_eq!(trimmed(&bare), trimmed(&plain), "{line}");
    }
}

fn strip(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn every_command_that_is_advised_means_the_same_store() {
    let scene = Scene::new();
    scene.ok("run test.ron --store kept");
    let object = walk(&scene.path().join("kept/objects"));
    let mut told = vec![
        scene.fails("runs --store none"),
        scene.fails("cache du --store none"),
        scene.fails("show test.ron a --store none"),
        scene.fails("show test.ron --store kept"),
        scene.fails("export test.ron --set a.seed=5 a out --store kept"),
        scene.fails("show --run 1999 a --store kept"),
        scene.fails("pin test.ron --store kept"),
        scene.text(&scene.command("plan test.ron --store none").output().unwrap().stderr),
        scene.ok("cache pins --store kept"),
        scene.ok("pin test.ron a mine --store kept"),
        scene.ok("runs show --store kept"),
        scene.ok("show test.ron a --store kept"),
    ];
    std::fs::set_permissions(&object, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&object, "spoilt").unwrap();
    told.push(scene.fails("cache verify --store kept"));
    let mut seen = 0;
    for text in &told {
        // Lines are wrapped between words.
        let text = text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        for advised in text.split('`').filter(|piece| piece.starts_with("hyper-flow ")) {
            seen += 1;
            assert!(advised.contains(" --store kept") || advised.contains(" --store none"), "`{advised}` in {text}");
        }
    }
    assert!(seen >= 12, "{seen}: {told:#?}");
}

/// Some file below a directory.
fn walk(directory: &std::path::Path) -> std::path::PathBuf {
    let entry = std::fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
    if entry.is_dir() { walk(&entry) } else { entry }
}
