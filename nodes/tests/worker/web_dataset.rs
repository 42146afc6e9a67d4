//! `WebDataset`: which samples shards have, and what becomes of those that are damaged, hostile or far away.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_flaky_hub::{COMMIT, Fault, Server};
use hyper_flow_spec::{Event, Level};
use image::{ImageFormat, Rgb, RgbImage};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tch::{Device, Kind};
use tempfile::TempDir;

use crate::chain::shard_file;
use crate::lab::{Files, Work, assert_same};

/// A picture whose every byte is its shade, in a format that keeps it.
fn picture(shade: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_pixel(5, 4, Rgb([shade; 3])).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A tar of these members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // `set_path` refuses names that lead out of a folder.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Pairs of a picture and a text; the picture's shade is the number in the text.
fn pairs(shades: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let shades: Vec<u8> = shades.into_iter().collect();
    let parts: Vec<_> =
        shades.iter().map(|s| (format!("{s}.png"), picture(*s), format!("{s}.txt"), s.to_string())).collect();
    let members =
        parts.iter().flat_map(|(png, picture, txt, text)| [(png.as_str(), picture.as_slice()), (txt, text.as_bytes())]);
    tar(&members.collect::<Vec<_>>())
}

/// A job that reads these shards.
struct Shards {
    folder: TempDir,
    work: Work,
}

impl Shards {
    fn new(shards: &[&[u8]], changes: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<String> = (0..shards.len()).map(|i| format!("shards.{i}")).collect();
        let mut params = json!({"shards": ports, "size": 4, "held_out": 0.5});
        params.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut work = Work::new("WebDataset", params);
        for (port, shard) in ports.iter().zip(shards) {
            let path = folder.path().join(format!("{port}.tar"));
            fs::write(&path, shard).unwrap();
            work = work.file(port, &path);
        }
        Self { folder, work }
    }

    fn shard(&self, i: usize) -> PathBuf {
        self.folder.path().join(format!("shards.{i}.tar"))
    }
}

/// The captions of a dataset with the first byte of each one's picture, in order of the bytes.
fn read(output: &Path) -> Vec<(u8, String)> {
    let mut all = Vec::new();
    for half in ["train", "held_out"] {
        let at = |extension: &str| output.join(format!("{half}.{extension}"));
        let images = &read_tensors(&at("safetensors"), Kind::Float, Device::Cpu).unwrap()["images"];
        for (i, line) in fs::read_to_string(at("jsonl")).unwrap().lines().enumerate() {
            let text = serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
            all.push((images.get(i as i64).flatten(0, -1).int64_value(&[0]) as u8, text));
        }
    }
    all.sort();
    all
}

/// What a job of sound shards yields.
fn found(shards: &[&[u8]], changes: Value) -> Vec<(u8, String)> {
    let shards = Shards::new(shards, changes);
    shards.work.artifact();
    read(&shards.work.job.output)
}

fn text(pairs: &[(u8, &str)]) -> Vec<(u8, String)> {
    pairs.iter().map(|(shade, text)| (*shade, (*text).to_owned())).collect()
}

#[test]
fn a_shard_of_webdataset_is_read() {
    let shard = fs::read(shard_file()).unwrap();
    let shards = Shards::new(&[&shard], json!({}));
    let ended = shards.work.run();
    let warnings = ended.succeeded().messages(Level::Warning);
    assert_eq!(
        warnings,
        [
            "2 left out, all named in samples/left_out.txt of the node's log:\n1 without a caption: 00/0004\n1 without a picture: 00/0005"
        ]
    );
    // A WebP of one shade is off by one.
    let expected = [(10, "a first picture"), (60, "zweites Bild, größer"), (111, "a third"), (160, "a fourth")];
    assert_eq!(read(&shards.work.job.output), text(&expected));
}

#[test]
fn members_of_a_key_are_a_sample() {
    let (a, b, c) = (picture(1), picture(2), picture(3));
    let shard = tar(&[
        ("x.y/a.seg.png", &c),
        ("x.y/a.PNG", &a),
        ("x.y/a.TXT", b"  one\n"),
        ("b.json", br#"{"text": "two", "caption": null}"#),
        ("b.jpg", &b),
        ("b.cls", b"7"),
    ]);
    assert_eq!(found(&[&shard], json!({})), text(&[(1, "one"), (2, "two")]));
    // They must follow each other, as webdataset has it.
    let apart = tar(&[("a.png", &a), ("b.png", &b), ("a.txt", b"one"), ("b.txt", b"two")]);
    let shards = Shards::new(&[&apart, &pairs([5, 6])], json!({}));
    let ended = shards.work.run();
    let warnings = ended.succeeded().messages(Level::Warning);
    let hint = "picture and caption of 2 samples do not follow each other, so sort the tar: a, b";
    assert_eq!((warnings.len(), warnings[1].as_str()), (2, hint));
    assert_eq!(read(&shards.work.job.output), text(&[(5, "5"), (6, "6")]));
}

#[test]
fn shards_are_read_in_their_order_and_may_be_packed() {
    let (first, second) = (pairs([1, 2, 3]), pairs([4, 5, 6]));
    let plain = Shards::new(&[&first, &second], json!({}));
    let artifact = plain.work.artifact();
    assert_eq!(read(&plain.work.job.output).len(), 6);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&second).unwrap();
    let packed = packed.finish().unwrap();
    assert_same("packed", &Shards::new(&[&first, &packed], json!({})).work.artifact(), &artifact);
    assert_ne!(Shards::new(&[&second, &first], json!({})).work.artifact(), artifact);
    let whole = pairs([1, 2, 3, 4, 5, 6]);
    assert_same("one shard", &Shards::new(&[&whole], json!({})).work.artifact(), &artifact);
    let cut = Shards::new(&[&packed[..packed.len() - 20]], json!({}));
    let message = cut.work.failure();
    assert!(message.starts_with("<shards.0>: "), "{message}");
}

#[test]
fn a_folder_of_shards_is_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder_work = |name: &str| {
        Work::new("WebDataset", json!({"shards": ["shards.0"], "size": 4, "held_out": 0.5}))
            .file("shards.0", &folder.path().join(name))
    };
    for (name, shades) in [("00001.tar", [3, 4]), ("00000.tar", [1, 2])] {
        fs::write(folder.path().join(name), pairs(shades)).unwrap();
    }
    fs::write(folder.path().join("00000.json"), "{}").unwrap();
    let artifact = folder_work(".").artifact();
    assert_same("one shard", &artifact, &Shards::new(&[&pairs([1, 2, 3, 4])], json!({})).work.artifact());
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_snapshot!(folder_work("empty").failure(), @"<shards.0>: has no shard in it, whose name ends in .tar, .tar.gz, .tgz");
}

/// Three pairs, and something that is damaged between them.
fn with(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (first, last) = (picture(1), picture(2));
    let sound: Vec<(&str, &[u8])> = vec![("1.png", &first), ("1.txt", b"1")];
    tar(&[sound, members.to_vec(), vec![("2.png", &last), ("2.txt", b"2")]].concat())
}

#[test]
fn damaged_members_are_named_or_left_out() {
    let (sound, mut cut) = (picture(9), picture(9));
    cut.truncate(40);
    let failure = |members: &[(&str, &[u8])]| {
        let shard = with(members);
        let left_out = Shards::new(&[&shard], json!({"skip_damaged": true}));
        let ended = left_out.work.run();
        let warnings = ended.succeeded().messages(Level::Warning);
        assert!(
            matches!(&warnings[..], [text] if text.starts_with("1 left out, all named in samples/left_out.txt of the node's log:\n1 damaged: shards.0.tar: ")),
            "{warnings:?}"
        );
        assert_eq!(read(&left_out.work.job.output), text(&[(1, "1"), (2, "2")]));
        Shards::new(&[&shard], json!({})).work.failure()
    };
    assert_snapshot!(failure(&[("x.png", &cut), ("x.txt", b"x")]), @"<shards.0>: x.png: unexpected end of file; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", b"no picture"), ("x.txt", b"x")]), @"<shards.0>: x.png: The image format could not be determined; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", b""), ("x.txt", b"x")]), @"<shards.0>: x.png: The image format could not be determined; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", &sound), ("x.txt", b"\xff\xfe")]), @"<shards.0>: x.txt: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0; save it as UTF-8; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", &sound), ("x.json", br#"{"caption": ["a", "b"]}"#)]), @"<shards.0>: x.json: its caption is a list of 2, of which none is chosen here: write the one that is meant; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", &sound), ("x.json", br#"{"caption": 3}"#)]), @"<shards.0>: x.json: its caption is 3, which is no text: put it in quotes; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("x.png", &sound), ("x.json", br#"{"caption": "a"#)]), @"<shards.0>: x.json: EOF while parsing a string at line 1 column 14; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&[("\x1b[31mx.png", b"no picture"), ("\x1b[31mx.txt", b"x")]), @"<shards.0>: \\u{1b}[31mx.png: The image format could not be determined; mend it, or leave what is damaged out by `skip_damaged: true`");
}

#[test]
fn what_is_damaged_is_counted_and_the_first_are_named() {
    let names: Vec<String> = (10..17).flat_map(|i| [format!("{i}.png"), format!("{i}.txt")]).collect();
    let shard = with(&names.iter().map(|name| (name.as_str(), b"?".as_slice())).collect::<Vec<_>>());
    let shards = Shards::new(&[&shard], json!({"skip_damaged": true}));
    let ended = shards.work.run();
    let warnings = ended.succeeded().messages(Level::Warning);
    let why = "The image format could not be determined";
    let named: Vec<String> = (10..15).map(|i| format!("shards.0.tar: {i}.png: {why}")).collect();
    assert!(warnings[0].ends_with(&format!(":\n7 damaged: {} and 2 more", named.join(", "))), "{warnings:?}");
    let list = fs::read_to_string(shards.work.job.log.join("left_out.txt")).unwrap();
    let all: String = (10..17).map(|i| format!("damaged: shards.0.tar: {i}.png: {why}\n")).collect();
    assert_eq!(list, all);
}

#[test]
fn nothing_behind_an_end_mark_is_lost() {
    let (first, second) = (pairs([1, 2, 3]), pairs([4, 5, 6]));
    let all = text(&[(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5"), (6, "6")]);
    let zeros = vec![0; 20 * 512];
    assert_eq!(found(&[&[&first[..], &second].concat()], json!({})), all, "two tars joined");
    assert_eq!(found(&[&[&first[..], &zeros, &second, &zeros].concat()], json!({})), all, "zeros in the middle");
    let packed = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    assert_eq!(found(&[&[packed(&first), packed(&second)].concat()], json!({})), all, "two members of a gzip");
    let (head, tail) = second.split_at(700);
    assert_eq!(
        found(&[&[packed(&first), packed(head), packed(tail)].concat()], json!({})),
        all,
        "members that split a file"
    );
    assert_snapshot!(Shards::new(&[&[&first[..], b"garbage"].concat()], json!({})).work.failure(), @"<shards.0>: it is no sound tar: failed to read entire block; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(Shards::new(&[&[&first[..], &second[..1536]].concat()], json!({})).work.failure(), @"<shards.0>: it is no sound tar: it ends in the middle of a member: it is truncated; mend it, or leave what is damaged out by `skip_damaged: true`");
}

#[test]
fn what_systems_put_into_tars_is_left_out() {
    let (a, b) = (picture(1), picture(2));
    let shard = tar(&[
        ("._a.png", b"\0\x05"),
        ("a.png", &a),
        ("._a.txt", b"\0\x05"),
        ("a.txt", b"\xef\xbb\xbfone"),
        ("__MACOSX/b.png", b"\0\x05"),
        ("b.png", &b),
        ("b.json", b"\xef\xbb\xbf{\"caption\": NaN, \"text\": \"two\", \"score\": NaN}"),
        (".DS_Store", b"?"),
    ]);
    let shards = Shards::new(&[&shard], json!({}));
    let ended = shards.work.run();
    assert_snapshot!(ended.succeeded().messages(Level::Warning).join("\n"), @r#"
    4 left out, all named in samples/left_out.txt of the node's log:
    4 hidden, or what a system keeps for itself: ._a.png, ._a.txt, __MACOSX/b.png, .DS_Store
    "#);
    assert_eq!(read(&shards.work.job.output), text(&[(1, "one"), (2, "two")]));
}

/// Wherever it is cut, it is told: at the end of a member too, where the tar is else well-formed.
#[test]
fn a_shard_that_ends_too_early() {
    let whole = pairs([1, 2, 3, 4]);
    let marks = whole.len() - 1024;
    for length in [0, 100, 512, 512 + 30, 1024, 1536, 2048, marks - 512, marks - 1, marks] {
        let message = Shards::new(&[&whole[..length]], json!({})).work.failure();
        assert!(
            message.starts_with("<shards.0>: ") && message.ends_with("`skip_damaged: true`"),
            "{length}: {message}"
        );
    }
    let cut = Shards::new(&[&whole[..marks - 700]], json!({"skip_damaged": true}));
    let ended = cut.work.run();
    assert_eq!(ended.succeeded().messages(Level::Warning).len(), 1);
    assert_eq!(read(&cut.work.job.output), text(&[(1, "1"), (2, "2"), (3, "3")]));
}

#[test]
fn what_is_no_tar() {
    let failure = |shard: &[u8]| Shards::new(&[shard], json!({})).work.failure();
    assert_snapshot!(failure(&[b'x'; 3000]), @"<shards.0>: it is no sound tar: numeric field was not a number: xxxxxxxx when getting cksum for xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(b"\x1f\x8b but no gzip"), @"<shards.0>: it is no sound tar: invalid gzip header; mend it, or leave what is damaged out by `skip_damaged: true`");
    let sound = picture(1);
    assert_snapshot!(failure(&tar(&[("a.png", &sound), ("a.png", &sound), ("a.txt", b"x")])), @"<shards.0>: a.png is in it twice; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(failure(&tar(&[("a.png", &sound), ("b.txt", b"x")])), @"no sample of the shards has a picture and a caption");
    assert_snapshot!(failure(&tar(&[("a.1.png", &sound), ("a.1.txt", b"x")])), @"no sample of the shards has a picture and a caption: the key of a sample ends at the first dot of its name, so rename a.1.png, a.1.txt");
    assert_snapshot!(failure(&tar(&[("a.png", &sound), ("b.png", &sound), ("a.txt", b"x"), ("b.txt", b"x")])), @"no sample of the shards has a picture and a caption: picture and caption of 2 samples do not follow each other, so sort the tar: a, b");
    let none = Shards::new(&[&pairs([1, 2])], json!({}));
    fs::remove_file(none.shard(0)).unwrap();
    assert_snapshot!(none.work.failure(), @"read <shards.0>: No such file or directory (os error 2)");
}

/// Names are keys and nothing else; what is no plain file is passed over; sizes are not believed.
#[test]
fn hostile_members() {
    let sound = picture(9);
    let names = tar(&[("../../a.png", &sound), ("../../a.txt", b"up"), ("/b.png", &sound), ("/b.txt", b"root")]);
    let shards = Shards::new(&[&names], json!({}));
    let artifact: Files = shards.work.artifact();
    assert_eq!(
        artifact.keys().collect::<Vec<_>>(),
        ["held_out.jsonl", "held_out.safetensors", "train.jsonl", "train.safetensors"]
    );
    assert_eq!(read(&shards.work.job.output), text(&[(9, "root"), (9, "up")]));
    let beside = shards.work.job.output.parent().unwrap();
    assert!(!beside.join("a.png").exists() && !beside.parent().unwrap().join("a.png").exists());

    let mut links = Builder::new(Vec::new());
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Fifo, EntryType::Char] {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        links.append_link(&mut header, "1.png", "/etc/hostname").unwrap();
    }
    let links = links.into_inner().unwrap();
    let both = [&links[..links.len() - 1024], &pairs([3, 4])].concat();
    assert_eq!(found(&[&both], json!({})), text(&[(3, "3"), (4, "4")]));

    // A member that says it has 8 TB.
    let mut huge = with(&[("x.png", b"?"), ("x.txt", b"x")]);
    let at = huge.windows(5).position(|window| window == b"x.png").unwrap();
    let mut header = Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&huge[at..at + 512]);
    header.set_size(8 << 40);
    header.set_cksum();
    huge[at..at + 512].copy_from_slice(header.as_bytes());
    assert_snapshot!(Shards::new(&[&huge], json!({})).work.failure(), @"<shards.0>: it is no sound tar: unexpected EOF during skip; mend it, or leave what is damaged out by `skip_damaged: true`");
}

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A job that fetches these shards.
fn remote(server: &Server, shards: &[(&str, &str)]) -> Work {
    let urls: Vec<Value> = shards
        .iter()
        .map(|(name, hash)| json!([format!("{}/data/resolve/{COMMIT}/{name}", server.url()), hash]))
        .collect();
    Work::new("WebDataset", json!({"urls": urls, "size": 4, "held_out": 0.5}))
}

#[test]
fn shards_come_over_the_network_and_a_cut_connection_is_taken_up_again() {
    let (first, second) = (pairs([1, 2, 3]), pairs([4, 5, 6]));
    let server = Server::new("data", &[("a.tar", &first), ("b.tar", &second)]);
    server.faults([Fault::Cut(3000), Fault::Cut(1000)]);
    let work = remote(&server, &[("a.tar", &sha256(&first)), ("b.tar", &sha256(&second))]);
    let artifact = work.artifact();
    assert_same("from afar", &artifact, &Shards::new(&[&first, &second], json!({})).work.artifact());
    assert_eq!(server.ranges(), [None, Some("bytes=3000-".into()), Some("bytes=4000-".into()), None]);
    // What is there already is not fetched again.
    assert_same("again", &work.artifact(), &artifact);
    assert_eq!(server.ranges().len(), 4);
}

#[test]
fn a_shard_that_is_another_is_refused() {
    let (shard, other) = (pairs([1, 2, 3]), pairs([4, 5, 6]));
    let server = Server::new("data", &[("a.tar", &other)]);
    let work = remote(&server, &[("a.tar", &sha256(&shard))]);
    let message = work.failure();
    assert!(message.contains(&sha256(&shard)) && message.contains(&sha256(&other)), "{message}");
    assert!(message.contains("/a.tar"), "{message}");
    assert!(work.files().is_empty());
    assert_eq!(fs::read_dir(work.job.scratch.join("shards")).unwrap().count(), 0, "nothing unverified stays");
}

#[test]
fn a_damaged_shard_of_the_network_is_named_by_its_address() {
    let shard = with(&[("x.png", b"?"), ("x.txt", b"x")]);
    let server = Server::new("data", &[("a.tar", &shard)]);
    let message = remote(&server, &[("a.tar", &sha256(&shard))]).failure();
    let address = format!("{}/data/resolve/{COMMIT}/a.tar: x.png: ", server.url());
    assert!(message.starts_with(&address), "{message}");
}

#[test]
fn a_download_stops_when_asked() {
    let shard = pairs([1, 2, 3]);
    let server = Server::new("data", &[("a.tar", &shard)]);
    server.faults([Fault::Stall(1000)]);
    let work = remote(&server, &[("a.tar", &sha256(&shard))]);
    let mut worker = work.start();
    worker.until(|event| matches!(event, Event::Progress { .. }));
    let ended = worker.signal(rustix::process::Signal::TERM);
    assert_eq!((ended.status.code(), ended.interrupted()), (Some(143), Some(0)), "{ended:#?}");
    work.artifact();
}
