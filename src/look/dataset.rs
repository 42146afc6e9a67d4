//! A `Dataset`, and the pictures of `Latents`: counts, sizes, captions, and some of its pictures.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::path::Path;

use hyper_flow_cache::{Digest, Store, StoreError};
use image::{DynamicImage, GrayImage, RgbImage};
use serde::Serialize;

use super::half::Lines;
use super::header::Tensors;
use super::histogram::{Count, ranked};

/// What is known of a dataset.
#[derive(Debug, Default, Serialize)]
pub struct Dataset {
    /// What trainings see.
    pub train: Half,
    /// What they do not.
    pub held_out: Half,
    /// Its captions.
    pub captions: Captions,
    /// Pictures by their size, the most frequent first.
    pub sizes: Vec<Count>,
    /// The sizes of the files that they were cut out of, where that is known.
    pub originals: Vec<Count>,
    /// Channels of a picture; none for latents.
    pub channels: Option<u64>,
    /// What was left out, as long as the log of its run is kept.
    pub left_out: Vec<LeftOut>,
}

/// A half of a dataset.
#[derive(Debug, Default, Serialize)]
pub struct Half {
    /// How many pictures it has.
    pub pictures: u64,
    /// How many samples an epoch has, repeats and mirrored pictures counted.
    pub epoch: u64,
}

/// The captions of both halves.
#[derive(Debug, Default, Serialize)]
pub struct Captions {
    /// How many distinct ones there are.
    pub distinct: u64,
    /// How many pictures have an empty one.
    pub empty: u64,
    /// The first ones.
    pub first: Vec<String>,
}

/// Files that are not in a dataset for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The reason, after their number.
    pub reason: String,
    /// Their names.
    pub names: Vec<String>,
}

/// What one half is called.
const TRAIN: &str = "train";
const HELD_OUT: &str = "held_out";
/// The list of what was left out, in the log of the node.
const LIST: &str = "samples/left_out.txt";
const IMAGES: &str = "images";

/// Reads an artifact's lines; none if it has no such, or ones that nobody here wrote. `log` is the node's, where it was made.
pub(crate) fn dataset(store: &Store, artifact: &Digest, log: Option<&Path>) -> Result<Option<Dataset>, StoreError> {
    let (Some(train), Some(held_out)) = (lines(store, artifact, TRAIN)?, lines(store, artifact, HELD_OUT)?) else {
        return Ok(None);
    };
    let shape = shape(store, artifact, &train)?;
    let (mut sizes, mut originals) = (train.sizes.clone(), train.originals.clone());
    held_out.sizes.iter().for_each(|(size, count)| *sizes.entry(size.clone()).or_default() += count);
    held_out.originals.iter().for_each(|(size, count)| *originals.entry(size.clone()).or_default() += count);
    if let (true, Some([_, height, width])) = (sizes.is_empty(), shape) {
        sizes.insert(format!("{width}×{height}"), train.count + held_out.count);
    }
    let distinct = train.distinct.union(&held_out.distinct).count() as u64;
    let half = |lines: &Lines| Half { pictures: lines.count, epoch: lines.epoch };
    Ok(Some(Dataset {
        train: half(&train),
        held_out: half(&held_out),
        captions: Captions { distinct, empty: train.empty + held_out.empty, first: train.first },
        sizes: ranked(sizes),
        originals: ranked(originals),
        channels: shape.map(|[channels, ..]| channels),
        left_out: log.map(left_out).unwrap_or_default(),
    }))
}

fn lines(store: &Store, artifact: &Digest, half: &str) -> Result<Option<Lines>, StoreError> {
    match store.open_file(artifact, &format!("{half}.jsonl")) {
        Ok(file) => Ok(Lines::read(BufReader::new(file)).ok()),
        Err(StoreError::NoSuchFile { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// (channels, height, width) of the pictures of the first file.
fn shape(store: &Store, artifact: &Digest, lines: &Lines) -> Result<Option<[u64; 3]>, StoreError> {
    let file = match store.open_file(artifact, &lines.file(TRAIN, 0)) {
        Ok(file) => file,
        Err(StoreError::NoSuchFile { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let shape = |tensors: Tensors| Some(tensors.get(IMAGES)?.shape.get(1..4)?.try_into().expect("three numbers"));
    Ok(Tensors::open(file).ok().and_then(shape))
}

/// `reason: name` a line.
fn left_out(log: &Path) -> Vec<LeftOut> {
    let text = std::fs::read_to_string(log.join(LIST)).unwrap_or_default();
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (reason, name) in text.lines().filter_map(|line| line.split_once(": ")) {
        all.entry(reason).or_default().push(name.to_owned());
    }
    all.into_iter().map(|(reason, names)| LeftOut { reason: reason.to_owned(), names }).collect()
}

/// Pictures of a dataset, read one by one.
pub(crate) struct Pixels<'a> {
    store: &'a Store,
    artifact: Digest,
    lines: Lines,
    open: BTreeMap<u32, Tensors>,
}

/// The pictures of what trainings see; none if there are none.
pub(crate) fn pixels<'a>(store: &'a Store, artifact: &Digest) -> Result<Option<Pixels<'a>>, StoreError> {
    let Some(lines) = lines(store, artifact, TRAIN)?.filter(|lines| lines.count > 0) else { return Ok(None) };
    Ok(Some(Pixels { store, artifact: *artifact, lines, open: BTreeMap::new() }))
}

impl Pixels<'_> {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.lines.count
    }

    /// The one of this index; none if it lies nowhere.
    pub(crate) fn get(&mut self, index: u64) -> Option<RgbImage> {
        let (file, row) = *self.lines.places.get(index as usize)?;
        if !self.open.contains_key(&file) {
            let opened = self.store.open_file(&self.artifact, &self.lines.file(TRAIN, file)).ok()?;
            self.open.insert(file, Tensors::open(opened).ok()?);
        }
        read(self.open.get_mut(&file)?, row).ok()
    }
}

/// Of planes of bytes: one of grey, or three of colours.
fn read(tensors: &mut Tensors, row: u32) -> io::Result<RgbImage> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let shape: [u64; 4] =
        tensors.get(IMAGES).and_then(|place| place.shape.clone().try_into().ok()).ok_or_else(invalid)?;
    let [_, channels, height, width] = shape;
    let (width, height) = (u32::try_from(width).map_err(|_| invalid())?, u32::try_from(height).map_err(|_| invalid())?);
    let planes = tensors.row(IMAGES, row.into())?;
    let area = (width * height) as usize;
    match channels {
        1 => GrayImage::from_raw(width, height, planes).map(|grey| DynamicImage::ImageLuma8(grey).to_rgb8()),
        3 => {
            let pixels = (0..area).flat_map(|at| [planes[at], planes[area + at], planes[2 * area + at]]).collect();
            RgbImage::from_raw(width, height, pixels)
        }
        _ => None,
    }
    .ok_or_else(invalid)
}
