//! `ImageFolder`: which pictures and captions are found, and what becomes of their pixels.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::Level;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tch::{Device, Kind};
use tempfile::TempDir;

use crate::lab::Work;

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];

fn plain(width: u32, height: u32, colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(colour)).into()
}

/// A folder with these files.
fn folder(files: &[(&str, DynamicImage)], texts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, picture) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let format = if name.to_lowercase().ends_with("png") { ImageFormat::Png } else { ImageFormat::Jpeg };
        picture.save_with_format(path, format).unwrap();
    }
    for (name, text) in texts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(folder: &Path, changes: Value) -> Work {
    let mut params = json!({"folder": "folder", "size": 4, "held_out": 0.5});
    params.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Work::new("ImageFolder", params).file("folder", folder)
}

/// The pictures of a dataset by their captions: bytes channel by channel.
fn pictures(work: &Work) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for half in ["train", "held_out"] {
        let at = |extension: &str| work.job.output.join(format!("{half}.{extension}"));
        let images = &read_tensors(&at("safetensors"), Kind::Float, Device::Cpu).unwrap()["images"];
        for (i, line) in fs::read_to_string(at("jsonl")).unwrap().lines().enumerate() {
            let caption = serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
            all.insert(caption, Vec::<u8>::try_from(images.get(i as i64).flatten(0, -1)).unwrap());
        }
    }
    all
}

/// A dataset of pictures of 3 channels and 16 pixels.
pub(crate) fn coloured() -> Work {
    let names: Vec<String> = (0..8).map(|i| format!("{i}.png")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), plain(16, 16, RED))).collect();
    let lines: Vec<_> =
        names.iter().map(|name| json!({"file_name": name, "text": "a red square"}).to_string()).collect();
    let folder = folder(&files, &[("metadata.jsonl", &lines.join("\n"))]);
    let work = read(folder.path(), json!({"size": 16}));
    work.artifact();
    work
}

#[test]
fn captions_come_from_the_metadata() {
    let files = [("a.png", plain(4, 4, RED)), ("deep/er/b.jpg", plain(4, 4, BLUE)), ("c.png", plain(4, 4, BLUE))];
    let metadata = "{\"file_name\": \"a.png\", \"text\": \"red\", \"more\": 1}\n\n{\"file_name\": \"deep/er/b.jpg\", \"text\": \"blü\"}\n";
    let folder = folder(&files, &[("metadata.jsonl", metadata), ("a.txt", "not this")]);
    let work = read(folder.path(), json!({}));
    let ended = work.run();
    assert_eq!(
        ended.succeeded().messages(Level::Warning),
        [
            "1 pictures have a .txt file beside them that differs from the metadata, which is taken: a.png",
            "1 left out, all named in samples/left_out.txt of the node's log:\n1 without a caption: c.png"
        ]
    );
    assert_eq!(pictures(&work).keys().collect::<Vec<_>>(), ["blü", "red"]);
}

#[test]
fn the_metadata_may_say_what_is_held_out() {
    let files = ["a.png", "b.png", "c.png"].map(|name| (name, plain(4, 4, RED)));
    let line = |name: &str, more: &str| format!("{{\"file_name\": \"{name}.png\", \"text\": \"{name}\"{more}}}\n");
    let split = |halves: [&str; 3]| {
        let more = |half: &str| if half.is_empty() { String::new() } else { format!(", \"split\": {half:?}") };
        let lines: String = ["a", "b", "c"].iter().zip(halves).map(|(name, half)| line(name, &more(half))).collect();
        let folder = folder(&files, &[("metadata.jsonl", &lines)]);
        let work = read(folder.path(), json!({}));
        (folder, work)
    };
    let (_kept, work) = split(["train", "held_out", "test"]);
    work.artifact();
    assert_eq!(fs::read_to_string(work.job.output.join("train.jsonl")).unwrap(), "{\"text\":\"a\"}\n");
    let refused = |halves| {
        let (_kept, work) = split(halves);
        work.failure()
    };
    assert_snapshot!(refused(["train", "", "test"]), @"<folder>/metadata.jsonl: line 2: b.png differs from the first row in having a `split` or none: give it to all or none; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(refused(["train", "rest", "test"]), @r#"<folder>/metadata.jsonl: line 2: its `split` is "rest", and none of train, held_out, validation and test; mend it, or leave what is damaged out by `skip_damaged: true`"#);
}

#[test]
fn captions_come_from_texts_beside_the_pictures() {
    let files = [("a.PNG", plain(4, 4, RED)), ("b.jpeg", plain(4, 4, BLUE)), ("c.png", plain(4, 4, BLUE))];
    let folder = folder(&files, &[("a.txt", "red\n"), ("b.txt", "  blue "), ("notes.txt", "no picture's")]);
    let work = read(folder.path(), json!({}));
    let ended = work.run();
    assert_eq!(
        ended.succeeded().messages(Level::Warning),
        [
            "2 left out, all named in samples/left_out.txt of the node's log:\n1 without a caption: c.png\n1 without a picture: notes.txt"
        ]
    );
    assert_eq!(pictures(&work).keys().collect::<Vec<_>>(), ["blue", "red"]);
}

#[test]
fn pictures_that_are_enlarged_are_told_with_what_to_write_instead() {
    let files = [("a.png", plain(40, 32, RED)), ("b.png", plain(64, 80, BLUE)), ("c.png", plain(64, 64, RED))];
    let folder = folder(&files, &[("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c")]);
    let warnings = |changes| read(folder.path(), changes).run().succeeded().messages(Level::Warning);
    assert_eq!(warnings(json!({"size": 32})), Vec::<String>::new());
    assert_snapshot!(warnings(json!({"size": 64})).join("\n"), @"1 of 3 pictures are smaller than the 64×64 that they become, and are enlarged, up to 2.0 times: a.png. `size: 32` enlarges none, and `no_upscale: true` leaves them out");
    assert_snapshot!(warnings(json!({"buckets": [[64, 64], [128, 64]]})).join("\n"), @"1 of 3 pictures are smaller than the size that they become, and are enlarged, up to 2.0 times: a.png. Smaller `buckets` enlarge none, and `no_upscale: true` leaves them out");
    assert_snapshot!(warnings(json!({"size": 64, "no_upscale": true})).join("\n"), @r"
    1 left out, all named in samples/left_out.txt of the node's log:
    1 smaller than every size that is wanted (`no_upscale`): a.png
    ");
}

#[test]
fn captions_that_are_empty_are_told_by_name_and_all_of_them_listed() {
    let names: Vec<String> = (0..8).map(|i| format!("{i}.png")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), plain(4, 4, RED))).collect();
    let texts: Vec<String> = (0..8).map(|i| format!("{i}.txt")).collect();
    let empty: Vec<_> = texts.iter().map(|name| (name.as_str(), " \n")).collect();
    let few = folder(&files[..2], &[empty[0], ("1.txt", "one")]);
    let warnings = |folder: &TempDir| {
        let work = read(folder.path(), json!({}));
        (work.run().succeeded().messages(Level::Warning).join("\n"), work)
    };
    assert_snapshot!(warnings(&few).0, @"1 pictures have an empty caption: 0.png");
    let many = folder(&files, &empty);
    let (told, work) = warnings(&many);
    assert_snapshot!(told, @"8 pictures have an empty caption: 0.png, 1.png, 2.png, 3.png, 4.png and 3 more (all of them in samples/noted.txt of the node's log)");
    let list = fs::read_to_string(work.job.log.join("noted.txt")).unwrap();
    assert_eq!(list.lines().last(), Some("have an empty caption: 7.png"));
}

#[test]
fn pictures_of_every_colour_type_are_read() {
    let half = RgbaImage::from_pixel(4, 4, Rgba([255, 0, 0, 127])).into();
    let clear = GrayAlphaImage::from_pixel(4, 4, LumaA([0, 0])).into();
    let grey = GrayImage::from_pixel(4, 4, image::Luma([100])).into();
    let files = [("jpeg.jpg", plain(4, 4, [128; 3])), ("half.png", half), ("clear.png", clear), ("grey.png", grey)];
    let texts = ["jpeg", "half", "clear", "grey"].map(|name| (format!("{name}.txt"), name));
    let texts = texts.each_ref().map(|(file, text)| (file.as_str(), *text));
    let folder = folder(&files, &texts);
    let rgb = read(folder.path(), json!({}));
    rgb.artifact();
    let all = pictures(&rgb);
    let channels = |name: &str| [0, 16, 32].map(|at| all[name][at]);
    assert_eq!(channels("half"), [255, 128, 128], "transparency is laid on white");
    assert_eq!(channels("clear"), [255; 3]);
    assert_eq!(channels("grey"), [100; 3]);
    assert_eq!(channels("jpeg"), [128; 3]);
    let grey = read(folder.path(), json!({"channels": 1}));
    grey.artifact();
    assert_eq!(pictures(&grey)["grey"], [100; 16]);
    assert_eq!(pictures(&grey)["clear"], [255; 16]);
}

#[test]
fn a_square_is_cut_out_of_the_middle() {
    let mut wide = RgbImage::from_pixel(24, 8, Rgb(BLUE));
    for (x, _, pixel) in wide.enumerate_pixels_mut() {
        if (8..16).contains(&x) {
            *pixel = Rgb(RED);
        }
    }
    let files = [("wide.png", wide.into()), ("high.png", plain(3, 9, BLUE))];
    let folder = folder(&files, &[("wide.txt", "wide"), ("high.txt", "high")]);
    let work = read(folder.path(), json!({"size": 8}));
    work.artifact();
    let wide = &pictures(&work)["wide"];
    assert!(wide[..64].iter().all(|&red| red == 255) && wide[128..].iter().all(|&blue| blue == 0), "{wide:?}");
    assert_eq!(pictures(&work)["high"].len(), 3 * 64);
}

#[test]
fn metadata_that_is_wrong() {
    let refused = |metadata: &str| {
        let files = [("a.png", plain(4, 4, RED)), ("b.png", plain(4, 4, BLUE))];
        let folder = folder(&files, &[("metadata.jsonl", metadata)]);
        read(folder.path(), json!({})).failure()
    };
    let a = "{\"file_name\": \"a.png\", \"text\": \"red\"}\n";
    assert_snapshot!(refused(&format!("{a}{{\"file_name\": \"z.png\", \"text\": \"?\"}}")), @"<folder>/metadata.jsonl: line 2: z.png is not there; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(refused(&format!("{a}{{\"file_name\": \"b.png\"}}")), @"<folder>/metadata.jsonl: line 2: b.png has no `text` and no `caption`, but `file_name`; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(refused(&format!("{a}{{\"file_name\": ")), @"<folder>/metadata.jsonl: line 2: EOF while parsing a value at column 14; mend it, or leave what is damaged out by `skip_damaged: true`");
    // The second of two captions would win in silence.
    assert_snapshot!(refused(&format!("{a}{a}")), @"<folder>/metadata.jsonl: line 2: a.png has two captions; mend it, or leave what is damaged out by `skip_damaged: true`");
    // What lies outside the folder is not in the key.
    assert_snapshot!(refused(&format!("{a}{{\"file_name\": \"../b.png\", \"text\": \"?\"}}")), @"<folder>/metadata.jsonl: line 2: ../b.png is not a path within the folder; mend it, or leave what is damaged out by `skip_damaged: true`");
    assert_snapshot!(refused(a), @"of 1 pictures 1 would be held out: both halves need one; change `held_out` or add pictures");
}

#[test]
fn folders_that_are_wrong() {
    let empty = folder(&[], &[]);
    assert_snapshot!(read(empty.path(), json!({})).failure(), @"<folder>: has no metadata.jsonl, .csv or .parquet, and no picture with a .txt file of its name");
    let bare = folder(&[("a.png", plain(4, 4, RED))], &[]);
    assert_snapshot!(read(bare.path(), json!({})).failure(), @"<folder>: has no metadata.jsonl, .csv or .parquet, and no picture with a .txt file of its name");
    assert_snapshot!(read(&bare.path().join("none"), json!({})).failure(), @"list <folder>: No such file or directory (os error 2)");
    fs::write(bare.path().join("a.txt"), "red").unwrap();
    assert_snapshot!(read(bare.path(), json!({"channels": 2})).failure(), @"pictures have 1 channel (grey) or 3 (RGB), not 2");
}

#[test]
fn pictures_that_are_broken() {
    let folder =
        folder(&[("a.png", plain(64, 64, RED)), ("b.png", plain(4, 4, RED))], &[("a.txt", "a"), ("b.txt", "b")]);
    let bytes = fs::read(folder.path().join("a.png")).unwrap();
    fs::write(folder.path().join("a.png"), &bytes[..bytes.len() / 2]).unwrap();
    assert_snapshot!(read(folder.path(), json!({})).failure(), @"<folder>/a.png: unexpected end of file; mend it, or leave what is damaged out by `skip_damaged: true`");
    fs::write(folder.path().join("a.png"), "no picture").unwrap();
    assert_snapshot!(read(folder.path(), json!({})).failure(), @"<folder>/a.png: The image format could not be determined; mend it, or leave what is damaged out by `skip_damaged: true`");
}

#[test]
fn a_picture_is_known_by_its_content_and_not_by_its_name() {
    let folder = folder(&[("b.png", plain(4, 4, BLUE))], &[("a.txt", "red"), ("b.txt", "blue")]);
    let jpeg = folder.path().join("a.png");
    plain(4, 4, RED).save_with_format(&jpeg, ImageFormat::Jpeg).unwrap();
    let work = read(folder.path(), json!({}));
    work.artifact();
    assert!(pictures(&work)["red"][0] > 250);
}
