//! `ImageFolder` on folders as people have them: every form of metadata, and everything odd at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::Level;
use image::{Rgb, RgbImage};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tch::{Device, Kind};
use tempfile::TempDir;

use crate::lab::Work;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures").join(name)
}

fn odd(name: &str) -> Vec<u8> {
    fs::read(fixture("odd_pictures").join(name)).unwrap()
}

fn png(shade: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(2, 2, Rgb([shade; 3])).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn work(folder: &Path, changes: Value) -> Work {
    let mut params = json!({"folder": "folder", "size": 2, "held_out": 0.4});
    params.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Work::new("ImageFolder", params).file("folder", folder)
}

/// The first byte, caption and half of each picture, sorted.
fn read(work: &Work) -> Vec<(u8, String, &'static str)> {
    let mut all = Vec::new();
    for half in ["train", "held_out"] {
        let at = |extension: &str| work.job.output.join(format!("{half}.{extension}"));
        let images = &read_tensors(&at("safetensors"), Kind::Float, Device::Cpu).unwrap()["images"];
        for (i, line) in fs::read_to_string(at("jsonl")).unwrap().lines().enumerate() {
            let text = serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
            all.push((images.get(i as i64).flatten(0, -1).int64_value(&[0]) as u8, text, half));
        }
    }
    all.sort();
    all
}

/// Captions by first bytes.
fn captions(files: &[(&str, &[u8])]) -> BTreeMap<u8, String> {
    let folder = folder(files);
    let work = work(folder.path(), json!({}));
    work.artifact();
    read(&work).into_iter().map(|(shade, text, _)| (shade, text)).collect()
}

fn failure(files: &[(&str, &[u8])]) -> String {
    work(folder(files).path(), json!({})).failure()
}

#[test]
fn metadata_is_read_as_hugging_faces_imagefolder_reads_it() {
    let expected: BTreeMap<String, Vec<(u8, String, String)>> =
        serde_json::from_slice(&fs::read(fixture("imagefolder.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 6);
    for (name, rows) in expected {
        let work = work(&fixture("imagefolder").join(&name), json!({}));
        let ended = work.run();
        let found = read(&work);
        assert_eq!(ended.succeeded().messages(Level::Warning).len(), usize::from(name == "hidden"), "{name}");
        // Where nothing says which half it is, `held_out` does.
        let half = |half: &str| if name == "halves" { half.to_owned() } else { String::new() };
        let expected: Vec<_> = rows.into_iter().map(|(shade, text, of)| (shade, text, half(&of))).collect();
        let found: Vec<_> = found.into_iter().map(|(shade, text, of)| (shade, text, half(of))).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Everything odd at once.
fn odd_folder() -> TempDir {
    let jpeg = odd("progressive.jpg");
    let mut wide = std::io::Cursor::new(Vec::new());
    RgbImage::new(1001, 1000).write_to(&mut wide, image::ImageFormat::Png).unwrap();
    folder(&[
        ("a.png", &png(10)),
        ("a.txt", b"\xef\xbb\xbfa red fox\r\n"),
        ("b.png", &png(20)),
        ("b.txt", b"a red fox"),
        ("c.png", &png(30)),
        ("c.txt", b""),
        ("test/d.png", &png(40)),
        ("test/d.txt", b"a test"),
        ("p3.png", &odd("p3-profile.png")),
        ("p3.txt", b"a phone's"),
        ("frames.gif", &odd("frames.gif")),
        ("frames.txt", b"an animation"),
        ("ink.jpeg", &odd("cmyk.jpg")),
        ("ink.txt", b"for print"),
        ("bare.png", &png(50)),
        ("half.jpg", &jpeg[..jpeg.len() / 2]),
        ("half.txt", b"half"),
        ("half.png", &png(60)[..40]),
        ("fine.jpg", &odd("fine-chroma.jpg")),
        ("fine.txt", b"stripes"),
        ("wide.png", wide.get_ref()),
        ("wide.txt", b"wide"),
        ("utf16.png", &png(70)),
        ("utf16.txt", b"\xff\xfeh\0i\0"),
        ("photo.avif", b"?"),
        ("photo.heic", b"?"),
        ("other.avif", b"?"),
        ("README.md", b"# mine"),
        ("LICENSE", b"free"),
        ("notes.txt", b"buy milk"),
        ("Thumbs.db", b"?"),
        (".DS_Store", b"?"),
        ("._a.txt", b"\0\x05\x16\x07"),
        ("._a.png", b"\0\x05\x16\x07"),
        ("__MACOSX/a.png", b"\0\x05\x16\x07"),
        (".ipynb_checkpoints/a-checkpoint.png", &png(80)),
        (".ipynb_checkpoints/a-checkpoint.txt", b"an old caption"),
        (".Trash-1000/files/z.png", &png(90)),
        (".Trash-1000/files/z.txt", b"thrown away"),
    ])
}

#[test]
fn a_folder_of_everything_odd_at_once() {
    let folder = odd_folder();
    let work = work(folder.path(), json!({"skip_damaged": true, "max_megapixels": 1}));
    let ended = work.run();
    let warnings = ended.succeeded().messages(Level::Warning).join("\n\n");
    assert_snapshot!(warnings, @r#"
    the folders test are not taken for the halves of the dataset, for 10 pictures lie beside them: `held_out` decides

    1 pictures are of four inks (CMYK), and become RGB without a colour profile: ink.jpeg

    1 pictures are the first frame or page of a file that has more: frames.gif

    1 pictures have an empty caption: c.png

    21 left out, all named in samples/left_out.txt of the node's log:
    1 without a caption: bare.png
    1 without a picture: notes.txt
    5 damaged: utf16.txt: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0; save it as UTF-8, fine.jpg: its colours are sampled finer than its brightness, which no decoder here reads: save it anew, half.jpg: it is cut off: a part of the picture is missing, half.png: unexpected end of file, wide.png: it has 1001×1000 pixels, more than 1 million: raise `max_megapixels` (each million takes up to 15 MB)
    9 hidden, or what a system keeps for itself: .DS_Store, .Trash-1000/files/z.png, .Trash-1000/files/z.txt, ._a.png, ._a.txt and 4 more
    1 without an ending: LICENSE
    2 that end in .avif, which is not read: other.avif, photo.avif
    1 that end in .heic, which is not read: photo.heic
    1 that end in .md, which is not read: README.md
    "#);
    assert_snapshot!(ended.messages(Level::Info).join("\n"), @r#"
    1 pictures are converted to sRGB from the colour profile that they carry: p3.png
    2 pictures share 1 captions, 2 of them "a red fox"
    "#);
    assert_snapshot!(fs::read_to_string(work.job.log.join("left_out.txt")).unwrap(), @r#"
    without a caption: bare.png
    without a picture: notes.txt
    damaged: utf16.txt: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0; save it as UTF-8
    damaged: fine.jpg: its colours are sampled finer than its brightness, which no decoder here reads: save it anew
    damaged: half.jpg: it is cut off: a part of the picture is missing
    damaged: half.png: unexpected end of file
    damaged: wide.png: it has 1001×1000 pixels, more than 1 million: raise `max_megapixels` (each million takes up to 15 MB)
    hidden, or what a system keeps for itself: .DS_Store
    hidden, or what a system keeps for itself: .Trash-1000/files/z.png
    hidden, or what a system keeps for itself: .Trash-1000/files/z.txt
    hidden, or what a system keeps for itself: ._a.png
    hidden, or what a system keeps for itself: ._a.txt
    hidden, or what a system keeps for itself: .ipynb_checkpoints/a-checkpoint.png
    hidden, or what a system keeps for itself: .ipynb_checkpoints/a-checkpoint.txt
    hidden, or what a system keeps for itself: Thumbs.db
    hidden, or what a system keeps for itself: __MACOSX/a.png
    without an ending: LICENSE
    that end in .avif, which is not read: other.avif
    that end in .avif, which is not read: photo.avif
    that end in .heic, which is not read: photo.heic
    that end in .md, which is not read: README.md
    "#);
    let texts: Vec<String> = read(&work).into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(texts.len(), 7, "{texts:?}");
    // What lies beside the pictures changes nothing that trains on them.
    let artifact = work.artifact();
    fs::remove_file(folder.path().join("README.md")).unwrap();
    fs::write(folder.path().join(".more"), "?").unwrap();
    assert_eq!(work.artifact(), artifact);
}

#[test]
fn what_is_damaged_fails_the_node_unless_it_is_left_out() {
    let jpeg = odd("baseline.jpg");
    let good: [(&str, &[u8]); 2] = [("a.png", &png(1)), ("a.txt", b"a")];
    let with = |more: &[(&str, &[u8])]| failure(&[&good, more].concat());
    assert_snapshot!(with(&[("x.jpg", &jpeg[..jpeg.len() / 2]), ("x.txt", b"x")]), @"<folder>/x.jpg: it is cut off: a part of the picture is missing; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(with(&[("x.png", &png(2)), ("x.txt", b"\xff")]), @"<folder>/x.txt: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0; save it as UTF-8; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(with(&[("x.heic", b"?"), ("x.txt", b"x")]), @"of 1 pictures 0 would be held out: both halves need one; change `held_out` or add pictures");
}

#[test]
fn captions_in_metadata_may_be_nothing_but_no_lists() {
    let pictures: [(&str, &[u8]); 3] = [("a.png", &png(1)), ("b.png", &png(2)), ("c.png", &png(3))];
    let lines = |third: &str| {
        let first = "\u{feff}{\"file_name\": \"a.png\", \"text\": \"NaN is no \\\"caption\\\"\", \"score\": NaN}\n";
        format!("{first}{{\"file_name\": \"b.png\", \"caption\": \"b\"}}\n{{\"file_name\": \"c.png\", {third}}}\n")
    };
    let with = |metadata: String| {
        let folder = folder(&pictures);
        fs::write(folder.path().join("metadata.jsonl"), metadata).unwrap();
        folder
    };
    let failure_of = |metadata| work(with(metadata).path(), json!({})).failure();
    let captions_of = |metadata| {
        let folder = with(metadata);
        let work = work(folder.path(), json!({}));
        work.artifact();
        read(&work).into_iter().map(|(shade, text, _)| (shade, text)).collect::<BTreeMap<_, _>>()
    };
    let two = BTreeMap::from([(1, "NaN is no \"caption\"".to_owned()), (2, "b".to_owned())]);
    assert_eq!(captions_of(lines("\"text\": NaN")), two);
    assert_eq!(captions_of(lines("\"text\": null")), two);
    assert_snapshot!(failure_of(lines("\"text\": [\"a\", \"b\"]")), @"<folder>/metadata.jsonl: line 3: its caption is a list of 2, of which none is chosen here: write the one that is meant; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure_of(lines("\"text\": 7")), @"<folder>/metadata.jsonl: line 3: its caption is 7, which is no text: put it in quotes; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure_of(lines("\"words\": \"c\"")), @"<folder>/metadata.jsonl: line 3: c.png has no `text` and no `caption`, but `file_name`, `words`; mend it, or leave what is damaged out by `skip_damaged: true`");
    let csv = b"\xef\xbb\xbffile_name,text\r\na.png,7\r\nb.png,\r\nc.png,None of these\r\n";
    let two = BTreeMap::from([(1, "7".to_owned()), (3, "None of these".to_owned())]);
    assert_eq!(captions(&[&pictures[..], &[("metadata.csv", csv)]].concat()), two);
    assert_snapshot!(failure(&[&pictures[..], &[("metadata.csv", b"file_name,text\na.png,a\nb.png,b,c\n")]].concat()), @"<folder>/metadata.csv: line 3: CSV error: record 2 (line: 3, byte: 23): found record with 3 fields, but the previous record has 2 fields; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[&pictures[..], &[("metadata.csv", b"left_file_name,right_file_name,text\na.png,b.png,a\n")]].concat()), @"<folder>/metadata.csv: line 2: of the columns `left_file_name`, `right_file_name`, `text` none is `file_name` or `image_file_name`; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[&pictures[..], &[("metadata.parquet", b"PAR1 and nothing PAR1")]].concat()), @"<folder>/metadata.parquet: EOF: Parquet file too small. Size is 21 but need 543649393");
}

#[test]
fn two_captions_that_differ_are_told() {
    let metadata =
        b"{\"file_name\": \"a.png\", \"text\": \"of the metadata\"}\n{\"file_name\": \"b.png\", \"text\": \"b\"}";
    let folder = folder(&[
        ("a.png", &png(1)),
        ("b.png", &png(2)),
        ("a.txt", b"of the text"),
        ("b.txt", b"b\n"),
        ("metadata.jsonl", metadata),
    ]);
    let work = work(folder.path(), json!({}));
    let ended = work.run();
    let told = "1 pictures have a .txt file beside them that differs from the metadata, which is taken: a.png";
    assert_eq!(ended.succeeded().messages(Level::Warning), [told]);
    assert!(read(&work).iter().any(|(shade, text, _)| (*shade, text.as_str()) == (1, "of the metadata")));
    // Two files of metadata that name one picture contradict each other.
    fs::create_dir(folder.path().join("deep")).unwrap();
    fs::write(folder.path().join("deep/c.png"), png(3)).unwrap();
    fs::write(folder.path().join("metadata.csv"), "file_name,text\ndeep/c.png,one\n").unwrap();
    fs::write(folder.path().join("deep/metadata.csv"), "file_name,text\nc.png,two\n").unwrap();
    assert_snapshot!(work.failure(), @"<folder>/metadata.csv: line 2: deep/c.png has two captions; mend it, or leave what is damaged out by `skip_damaged: true`");
}

#[test]
fn folders_that_are_named_for_halves_are_halves() {
    let (one, two, three) = (png(1), png(2), png(3));
    let split = |names: [&str; 3]| {
        let texts = names.map(|name| format!("{name}.txt"));
        let pictures = names.map(|name| format!("{name}.png"));
        let files: Vec<(&str, &[u8])> = pictures.iter().map(String::as_str).zip([&one[..], &two, &three]).collect();
        let files = [files, texts.iter().map(|text| (text.as_str(), text.as_bytes())).collect()].concat();
        let folder = folder(&files);
        let work = work(folder.path(), json!({}));
        let ended = work.run();
        let held_out: Vec<u8> =
            read(&work).into_iter().filter(|(.., half)| *half == "held_out").map(|row| row.0).collect();
        (held_out, ended.succeeded().messages(Level::Warning).join("\n"))
    };
    assert_eq!(split(["train/a", "validation/b", "test/c"]), (vec![2, 3], String::new()));
    assert_eq!(split(["training/a", "training/deep/b", "val/c"]), (vec![3], String::new()));
    let (held_out, said) = split(["train/a", "train/b", "train/c"]);
    assert_eq!((held_out.len(), said.as_str()), (1, ""));
    assert_snapshot!(split(["train/a", "test/b", "c"]).1, @"the folders test, train are not taken for the halves of the dataset, for 1 pictures lie beside them: `held_out` decides");
    assert_snapshot!(split(["test/a", "test/b", "val/c"]).1, @"the folders test, val are not taken for the halves of the dataset, for none of them is for training: `held_out` decides");
}
