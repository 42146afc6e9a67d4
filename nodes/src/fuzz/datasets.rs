//! Pictures, captions and shards, by the kinds that read them.

use std::fs;
use std::io::{Cursor, Write, sink};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper_flow_spec::{Job, Kind, PROTOCOL};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, RgbaImage};
use serde_json::{Value, json};
use tch::Device;

use super::attack::attack;
use super::damage::{as_it_is, mend_png, mend_tar};
use crate::worker::{Cancel, Context, Reporter};
use crate::{NodeError, kinds};

/// Runs a kind on what is at `path`, and demands that an error names `path`, unless it is about the data as a whole.
fn run(kind: &str, params: Value, port: &str, path: &Path) -> Result<(), String> {
    let own = tempfile::tempdir().unwrap();
    let job = Job {
        protocol: PROTOCOL,
        kind: Kind::from_json(kind, params).unwrap(),
        inputs: [].into(),
        files: [(port.to_owned(), path.to_owned())].into(),
        output: own.path().to_owned(),
        scratch: own.path().to_owned(),
        log: own.path().to_owned(),
        device: hyper_flow_spec::Device::Cpu,
        threads: 1,
        seed: 1,
        exact: false,
        sample_every: 0,
        checkpoint_seconds: 60.0,
        course: None,
    };
    let context = Context { job, device: Device::Cpu, reporter: Reporter::new(sink()), cancel: Cancel::default() };
    match kinds::run(&context) {
        Ok(()) | Err(NodeError::Unfit(_)) => Ok(()),
        Err(error) if error.to_string().contains(path.to_str().unwrap()) => Ok(()),
        Err(error) => Err(format!("the error does not say which file: {error}")),
    }
}

fn folder_of_pictures(files: &[(&str, &[u8])]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    run("ImageFolder", json!({"folder": "folder", "size": 4, "held_out": 0.5, "masks": true}), "folder", folder.path())
}

fn shard(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard.tar");
    fs::write(&path, bytes).unwrap();
    run("WebDataset", json!({"shards": ["shards.0"], "size": 4, "held_out": 0.5}), "shards.0", &path)
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn rgb() -> RgbImage {
    RgbImage::from_fn(9, 7, |x, y| [x as u8 * 20, y as u8 * 30, 90].into())
}

fn rgba() -> RgbaImage {
    RgbaImage::from_fn(6, 8, |x, y| [x as u8 * 20, y as u8 * 30, 90, (x * y) as u8].into())
}

fn png() -> Vec<u8> {
    encoded(rgba(), ImageFormat::Png)
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn good_tars() -> Vec<Vec<u8>> {
    let (png, jpeg, long) = (png(), encoded(rgb(), ImageFormat::Jpeg), format!("{}.png", "a".repeat(200)));
    let described: &[u8] = br#"{"caption": "a red fox", "n": 3}"#;
    vec![
        tar(&[("a.png", &png), ("a.txt", b"a red fox"), ("b.jpg", &jpeg), ("b.json", described)]),
        tar(&[(&long, &png), ("b.png", &png), ("b.txt", b"two")]),
    ]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn pngs() {
    let wide = DynamicImage::from(rgb()).into_rgb16();
    let good = vec![
        png(),
        encoded(rgb(), ImageFormat::Png),
        encoded(GrayImage::new(5, 5), ImageFormat::Png),
        encoded(wide, ImageFormat::Png),
    ];
    attack("PNG", good, mend_png, |bytes| folder_of_pictures(&[("a.png", bytes), ("a.txt", b"a fox")]));
}

#[test]
fn jpegs() {
    let good = vec![encoded(rgb(), ImageFormat::Jpeg), encoded(GrayImage::new(17, 5), ImageFormat::Jpeg)];
    attack("JPEG", good, as_it_is, |bytes| folder_of_pictures(&[("a.jpg", bytes), ("a.txt", b"a fox")]));
}

#[test]
fn webps() {
    let good = vec![encoded(rgb(), ImageFormat::WebP), encoded(rgba(), ImageFormat::WebP)];
    attack("WebP", good, as_it_is, |bytes| folder_of_pictures(&[("a.webp", bytes), ("a.txt", b"a fox")]));
}

#[test]
fn gifs() {
    let good = vec![encoded(rgba(), ImageFormat::Gif), encoded(rgb(), ImageFormat::Gif)];
    attack("GIF", good, as_it_is, |bytes| folder_of_pictures(&[("a.gif", bytes), ("a.txt", b"a fox")]));
}

#[test]
fn bmps_and_tiffs() {
    let good = |format| vec![encoded(rgb(), format), encoded(GrayImage::new(5, 9), format)];
    attack("BMP", good(ImageFormat::Bmp), as_it_is, |bytes| {
        folder_of_pictures(&[("a.bmp", bytes), ("a.txt", b"a fox")])
    });
    attack("TIFF", good(ImageFormat::Tiff), as_it_is, |bytes| {
        folder_of_pictures(&[("a.tiff", bytes), ("a.txt", b"a fox")])
    });
}

/// Pictures with a colour profile, the JPEGs among them as they are cut.
#[test]
fn odd_pictures() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures");
    let odd = |name: &str| fs::read(fixtures.join("odd_pictures").join(name)).unwrap();
    let jpegs = ["p3.jpg", "progressive.jpg", "restarts.jpg", "cmyk-icc.jpg", "fine-chroma.jpg"];
    attack("odd JPEG", jpegs.map(odd).to_vec(), as_it_is, |bytes| {
        folder_of_pictures(&[("a.jpg", bytes), ("a.txt", b"a fox")])
    });
    let profiles = vec![odd("p3-profile.tiff"), odd("grey-profile.png")];
    attack("profile", profiles, mend_png, |bytes| folder_of_pictures(&[("a.png", bytes), ("a.txt", b"a fox")]));
}

#[test]
fn tables_of_metadata() {
    let csv = vec![b"file_name,text\na.png,a red fox\n\"b.png\",\"b, \"\"and\"\" c\"\n".to_vec()];
    attack("metadata.csv", csv, as_it_is, |bytes| {
        folder_of_pictures(&[("a.png", &png()), ("b.png", &png()), ("metadata.csv", bytes)])
    });
    let path = "../tests/parity/fixtures/imagefolder/parquet/metadata.parquet";
    let parquet = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    attack("metadata.parquet", vec![parquet], as_it_is, |bytes| {
        folder_of_pictures(&[("a.png", &png()), ("b.png", &png()), ("deep/c.png", &png()), ("metadata.parquet", bytes)])
    });
}

#[test]
fn captions() {
    attack("captions", vec![b"a red fox\n".to_vec(), "ein F\u{fc}chslein".into()], as_it_is, |bytes| {
        folder_of_pictures(&[("a.png", &png()), ("a.txt", bytes)])
    });
}

#[test]
fn metadata() {
    let lines = [
        r#"{"file_name": "a.png", "text": "a red fox"}"#,
        r#"{"file_name": "./b.png", "text": "b", "split": "test", "n": [1, {"x": 2.5e3}]}"#,
    ];
    let good = vec![lines[0].into(), lines[1].into(), format!("{}\n\n{}\n", lines[0], lines[0]).into()];
    attack("metadata.jsonl", good, as_it_is, |bytes| {
        folder_of_pictures(&[("a.png", &png()), ("b.png", &png()), ("metadata.jsonl", bytes)])
    });
}

#[test]
fn tars() {
    attack("tar", good_tars(), mend_tar, shard);
}

#[test]
fn packed_tars() {
    attack("tar.gz", good_tars().iter().map(|tar| packed(tar)).collect(), as_it_is, shard);
    attack("tar in gzip", good_tars(), mend_tar, |bytes| shard(&packed(bytes)));
}

#[test]
fn tables_of_digits() {
    let row = format!("{}7\n", "3,".repeat(64));
    let good = vec![row.repeat(3).into()];
    attack("csv in gzip", good, as_it_is, |bytes| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits.csv.gz");
        fs::write(&path, packed(bytes)).unwrap();
        run("Digits", json!({"file": "file"}), "file", &path)
    });
}
