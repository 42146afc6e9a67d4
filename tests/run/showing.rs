//! What `show` tells of artifacts: pictures on terminals of all kinds, datasets, and nothing of a file as it is.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{Lab, eventually, sh};
use crate::pty::Pty;
use crate::workers::Workshop;

/// A PNG of two by two pixels: red, green, blue, white. (Python: `zlib.compress(b"\0…", 9)`, framed.)
fn picture() -> Vec<u8> {
    let pixels = [[255u8, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]].concat();
    let rows: Vec<u8> = pixels.chunks(6).flat_map(|row| std::iter::once(0).chain(row.iter().copied())).collect();
    png(2, 2, &rows)
}

/// A PNG of stored blocks.
fn png(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
    let length = rows.len() as u16;
    let mut data = vec![0x78, 0x01, 1];
    data.extend(length.to_le_bytes().iter().chain(&(!length).to_le_bytes()).chain(rows));
    let (a, b) = rows
        .iter()
        .fold((1u32, 0u32), |(a, b), byte| ((a + u32::from(*byte)) % 65521, (a + b + u32::from(*byte)) % 65521));
    data.extend((b << 16 | a).to_be_bytes());
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &head), chunk(b"IDAT", &data), chunk(b"IEND", &[])].concat()
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [name.as_slice(), data].concat();
    let sum = !body.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &sum.to_be_bytes()].concat()
}

/// A node `a` that yields the files of a folder.
fn yields(output: &str, files: &[(&str, &[u8])]) -> Lab {
    let lab = Lab::new();
    for (name, content) in files {
        lab.write("files/readme", "");
        std::fs::write(lab.path("files").join(name), content).unwrap();
    }
    std::fs::remove_file(lab.path("files/readme")).unwrap();
    lab.pipeline(
        &[("a", sh("cp $FLOW_FILE_SRC/* $FLOW_OUT", &format!("files: {{\"src\": \"files\"}}, output: {output}")))],
        "",
    );
    lab.run(&[]).expect_ran(&["a"]);
    lab
}

fn on_terminal(lab: &Lab, size: (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command: Command = lab.command(arguments);
    for variable in [
        "TERM",
        "COLORTERM",
        "TERM_PROGRAM",
        "LC_TERMINAL",
        "KITTY_WINDOW_ID",
        "KONSOLE_VERSION",
        "TMUX",
        "STY",
        "NO_COLOR",
        "XDG_CACHE_HOME",
        "HYPER_FLOW_PICTURES",
    ] {
        command.env_remove(variable);
    }
    Pty::of_size(size.0, size.1).run(command.envs(environment.iter().copied()))
}

const USUAL: (u16, u16) = (80, 24);
const SHOW: &[&str] = &["show", "p.ron", "a"];

#[test]
fn a_terminal_draws_pictures_in_the_way_it_understands() {
    let lab = yields("Images", &[("grid.png", &picture())]);
    let shown = |environment: &[(&str, &str)]| on_terminal(&lab, USUAL, SHOW, environment).1;
    let blocks = shown(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]);
    assert!(
        blocks.ends_with(
            "grid.png\r\n  \u{1b}[38;2;255;0;0;48;2;0;0;255m▀\u{1b}[38;2;0;255;0;48;2;255;255;255m▀\u{1b}[0m\r\n"
        ),
        "{blocks:?}"
    );
    let few = shown(&[("TERM", "xterm-256color")]);
    assert!(few.contains("\u{1b}[38;5;196;48;5;21m▀"), "{few:?}");
    for (environment, begins) in [
        ([("TERM", "xterm-kitty"), ("NO_COLOR", "1")], "grid.png\r\n\u{1b}_Ga=T,f=100,q=2,c=1,m=0;iVBORw0KGgo"),
        ([("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")], "grid.png\r\n\u{1b}]1337;File=inline=1;"),
        ([("TERM", "foot"), ("NO_COLOR", "1")], "grid.png\r\n\u{1b}P"),
        ([("TERM", "dumb"), ("HYPER_FLOW_PICTURES", "sixel")], "grid.png\r\n\u{1b}P"),
    ] {
        let text = shown(&environment);
        assert!(text.contains(begins), "{environment:?}: {text:?}");
    }
    let forced = on_terminal(&lab, USUAL, &[SHOW, &["--pictures", "kitty"]].concat(), &[("TERM", "xterm")]).1;
    assert!(forced.contains("\u{1b}_Ga=T"), "{forced:?}");
}

#[test]
fn where_pictures_cannot_be_drawn_nothing_is() {
    let lab = yields("Images", &[("grid.png", &picture())]);
    for environment in [
        [("TERM", "dumb"), ("", "")],
        [("TERM", "xterm"), ("NO_COLOR", "1")],
        [("TERM", "xterm"), ("HYPER_FLOW_PICTURES", "none")],
    ] {
        let environment: Vec<_> = environment.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        let (code, text) = on_terminal(&lab, USUAL, SHOW, &environment);
        assert_eq!(code, Some(0));
        let copy = text.lines().last().unwrap().trim();
        assert!(copy.ends_with("/grid.png") && !text.contains('▀'), "{text:?}");
        assert_eq!(std::fs::read(copy).unwrap(), picture());
    }
    let mut piped = lab.command(&[SHOW, &["--pictures", "kitty"]].concat());
    let text = String::from_utf8(piped.env("TERM", "xterm-kitty").output().unwrap().stdout).unwrap();
    assert!(!text.contains('\u{1b}') && text.ends_with("/grid.png\n"), "{text:?}");
}

#[test]
fn nothing_of_a_file_or_a_name_reaches_a_terminal_as_it_is() {
    let evil: &[u8] = b"\x89PNG\r\n\x1a\n\x1b]0;title\x07\x1b[2J";
    let large = {
        let mut bytes = picture();
        let mut head = [20_000u32.to_be_bytes(), 4u32.to_be_bytes()].concat();
        head.extend([8, 2, 0, 0, 0]);
        let framed = chunk(b"IHDR", &head);
        bytes.splice(8..8 + framed.len(), framed);
        bytes
    };
    let lab = yields("Images", &[("a\u{1b}[2J.png", evil), ("large.png", &large), ("plain.png", &picture())]);
    let colored = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
    let of =
        |file: &str, how: &str| on_terminal(&lab, USUAL, &["show", "p.ron", "a", file, "--pictures", how], &colored).1;
    for how in ["kitty", "iterm", "sixel", "blocks"] {
        let text = of("a\u{1b}[2J.png", how);
        assert!(text.starts_with("a␛[2J.png is not drawn: it cannot be decoded: "), "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let told = "large.png is not drawn: it has 20000×4 pixels, and no side may have more than 16,384\r\n";
        assert_eq!(of("large.png", how), told);
        assert!(of("plain.png", how).contains('\u{1b}'));
    }
    let text = of("a\u{1b}[2J.png", "none");
    assert!(text.contains("is no text") && !text.contains("\u{1b}[2J"), "{text:?}");
    let (_, all) = on_terminal(&lab, USUAL, SHOW, &colored);
    assert!(all.contains("a␛[2J.png") && !all.contains("\u{1b}[2J") && !all.contains("\u{1b}]0"), "{all:?}");
    let copies: Vec<&str> = all.lines().map(str::trim).filter(|line| line.contains("/pictures/")).collect();
    assert_eq!(copies.len(), 3, "{all}");
    assert!(copies.iter().all(|path| std::path::Path::new(path).is_file()), "{copies:?}");
}

#[test]
fn a_picture_or_the_folder_of_several_is_opened() {
    for (files, opened) in
        [(vec![("one.png", picture())], "/one.png"), (vec![("one.png", picture()), ("two.png", picture())], "/a-")]
    {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let lab = yields("Images", &files);
        lab.write(
            "bin/xdg-open",
            &format!("#!/bin/sh\nprintf %s \"$1\" > {}.new; mv {0}.new {0}\n", lab.text_path("opened")),
        );
        std::fs::set_permissions(lab.path("bin/xdg-open"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", lab.text_path("bin"), std::env::var("PATH").unwrap());
        let output = lab.command(&[SHOW, &["--open"]].concat()).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        eventually("nothing was opened", || lab.path("opened").exists());
        let found = lab.read("opened");
        assert!(found.contains("/.cache/hyper-flow/pictures/") && found.contains(opened), "{found}");
        assert!(std::path::Path::new(&found).exists());
    }
    let lab = yields("Files", &[("a.txt", b"text")]);
    let output = lab.flow(&[SHOW, &["--open"]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && told.contains("there is no picture to open: the artifact has none"),
        "{told}"
    );
}

/// A tensor file of `images`: grey squares of two pixels, each darker than the one before.
fn images(count: u8) -> Vec<u8> {
    let bytes: Vec<u8> = (0..count).flat_map(|index| [index * 20; 4]).collect();
    let header =
        json!({"images": {"dtype": "U8", "shape": [count, 1, 2, 2], "data_offsets": [0, bytes.len()]}}).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}

#[test]
fn a_dataset_tells_what_it_holds_and_shows_some_of_it() {
    let train = "{\"text\":\"a fox\\u001b[2J\",\"repeats\":2}\n{\"text\":\"\"}\n{\"text\":\"a dog\",\"flip\":true}\n";
    let lab = yields(
        "Dataset",
        &[
            ("train.jsonl", train.as_bytes()),
            ("train.safetensors", &images(3)),
            ("held_out.jsonl", b"{\"text\":\"a dog\"}\n"),
            ("held_out.safetensors", &images(1)),
        ],
    );
    let colored = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
    let (_, text) = on_terminal(&lab, USUAL, &[SHOW, &["--color", "never", "--pictures", "blocks"]].concat(), &colored);
    let text = text.replace("\r\n", "\n");
    let told = "dataset\n  train     3 pictures, with repeats and mirrored ones 5 samples\n  held out  1 picture\n  \
                captions  3 distinct, 1 empty\n  channels  1\nsizes\n  pixels  pictures\n  2×2            4  \
                ████████████████████████\nfirst captions\n  \"a fox\\u{1b}[2J\"\n  \"\"\n  \"a dog\"\n";
    assert!(text.contains(told), "{text}");
    let shades = ["0;0;0", "20;20;20", "40;40;40"].map(|shade| format!("\u{1b}[38;2;{shade};48;2;{shade}m▀▀"));
    let white = "\u{1b}[38;2;255;255;255;48;2;255;255;255m▀";
    let sheet = format!("3 of 3 pictures\n  {}\u{1b}[0m\n", shades.join(white));
    assert!(text.ends_with(&sheet), "{text:?}");
    let json: Value = serde_json::from_slice(&lab.flow(&[SHOW, &["--json"]].concat()).stdout).unwrap();
    assert_eq!(
        json["dataset"]["captions"],
        json!({"distinct": 3, "empty": 1, "first": ["a fox\u{1b}[2J", "", "a dog"]})
    );
}

#[test]
fn what_was_left_out_is_told_by_name_as_long_as_the_log_is_there() {
    let shop = Workshop::new(
        r#"
        printf 'damaged: b.png\ndamaged: c.png\nwithout a caption: d.png\n' > "$log/left_out.txt"
        say message '"level":"warning","text":"3 left out, all named in samples/left_out.txt of the node'"'"'s log:\u000a2 damaged: b.png, c.png"'
        for half in train held_out; do echo '{"text":"x"}' > $out/$half.jsonl; done
        "#,
    );
    shop.run(&[]).expect_ran(&["a"]);
    let shown = || String::from_utf8(shop.lab.flow(SHOW).stdout).unwrap();
    let named = shown();
    assert!(
        named.contains("left out: 2 damaged\n  b.png\n  c.png\nleft out: 1 without a caption\n  d.png\n"),
        "{named}"
    );
    assert!(!named.contains("all named in"), "{named}");
    std::fs::remove_dir_all(shop.lab.path(".hyper-flow/runs")).unwrap();
    let counted = shown();
    assert!(counted.contains("3 left out, all named in") && counted.contains("2 damaged: b.png, c.png"), "{counted}");
}
