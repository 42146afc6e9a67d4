//! Where the samples of one half lie.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use hyper_flow_diffusion::TimeIds;

use super::{Framing, Line, Slots};
use crate::{NodeError, files};

/// As the specification has it.
const MOST_REPEATS: u32 = 10_000;

/// The samples of one half by their size.
#[derive(Debug)]
pub(crate) struct Layout {
    count: usize,
    /// Width and height of the pictures of each file, sorted; none where all are squares of one file.
    sizes: Vec<[i64; 2]>,
    /// For each sample its file and its row there; none where there is one file.
    places: Vec<(u32, u32)>,
    /// For each sample; none where all are squares of one file.
    framings: Vec<Framing>,
    slots: Slots,
}

impl Layout {
    /// Reads the lines of a half, and gives their captions besides.
    pub(crate) fn read(folder: &Path, half: &str) -> Result<(Rc<Self>, Vec<String>), NodeError> {
        let path = folder.join(format!("{half}.jsonl"));
        let lines: Vec<Line> = files::read_lines(&path)?;
        let layout = Self::of(&lines).map_err(|message| NodeError::content(&path, message))?;
        Ok((layout.into(), lines.into_iter().map(|line| line.text).collect()))
    }

    /// Of lines; either all of them have a framing, or none.
    pub(crate) fn of(lines: &[Line]) -> Result<Self, String> {
        let framings: Vec<Framing> = lines.iter().filter_map(|line| line.framing).collect();
        if !framings.is_empty() && framings.len() < lines.len() {
            return Err(format!("{} of {} lines have a `framing`: all must, or none", framings.len(), lines.len()));
        }
        if let Some(line) = lines.iter().find(|line| !(1..=MOST_REPEATS).contains(&line.repeats)) {
            return Err(format!("`repeats` of {} is not from 1 to {MOST_REPEATS}", line.repeats));
        }
        let sizes: BTreeSet<[i64; 2]> = framings.iter().map(|framing| framing.size).collect();
        let sizes: Vec<[i64; 2]> = sizes.into_iter().collect();
        let mut rows = vec![0u32; sizes.len()];
        let place = |framing: &Framing| {
            let file = sizes.binary_search(&framing.size).expect("the list holds every size");
            rows[file] += 1;
            (file as u32, rows[file] - 1)
        };
        let places: Vec<(u32, u32)> = framings.iter().map(place).collect();
        let slots =
            Slots::of(lines, |sample| places.get(sample).map_or(0, |&(file, _)| file as usize), sizes.len().max(1));
        Ok(Self { count: lines.len(), sizes, places, framings, slots })
    }

    /// The files of tensors of this name, each with the number of its rows and, unless all are squares, the width and height
    /// of its pictures.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, i64, Option<[i64; 2]>)> {
        if self.sizes.is_empty() {
            return vec![(name.to_owned(), self.count as i64, None)];
        }
        let file = |(i, &[width, height]): (usize, &[i64; 2])| {
            let rows = self.places.iter().filter(|&&(file, _)| file as usize == i).count() as i64;
            (format!("{name}.{width}x{height}"), rows, Some([width, height]))
        };
        self.sizes.iter().enumerate().map(file).collect()
    }

    /// The file of a sample, and its row there.
    pub(crate) fn place(&self, sample: i64) -> (usize, i64) {
        self.places.get(sample as usize).map_or((0, sample), |&(file, row)| (file as usize, i64::from(row)))
    }

    /// The samples of each file, in the order of its rows.
    pub(crate) fn by_file(&self) -> Vec<Vec<i64>> {
        let mut samples = vec![Vec::new(); self.sizes.len().max(1)];
        (0..self.count as i64).for_each(|sample| samples[self.place(sample).0].push(sample));
        samples
    }

    /// What SDXL is told of a sample; none where all are squares of one size.
    pub(crate) fn time_ids(&self, sample: i64) -> Option<TimeIds> {
        self.framings.get(sample as usize).map(Framing::time_ids)
    }

    /// What a training draws from.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, size: [i64; 2]) -> Line {
        let framing = Framing { size, original: [100, 50], crop: [3, 0] };
        Line { framing: Some(framing), ..Line::new(text.to_owned()) }
    }

    #[test]
    fn samples_of_one_size_lie_together() {
        let layout = Layout::of(&[line("a", [8, 4]), line("b", [4, 8]), line("c", [8, 4])]).unwrap();
        let files = [("train.4x8".to_owned(), 1, Some([4, 8])), ("train.8x4".to_owned(), 2, Some([8, 4]))];
        assert_eq!(layout.files("train"), files);
        assert_eq!([0, 1, 2].map(|sample| layout.place(sample)), [(1, 0), (0, 0), (1, 1)]);
        assert_eq!(layout.by_file(), [vec![1], vec![0, 2]]);
        let told = layout.time_ids(0).unwrap();
        assert_eq!((told.original, told.crop, told.target), ([50, 100], [0, 3], [4, 8]), "heights first");
        assert_eq!(layout.slots().counts(), [1, 2]);
        assert_eq!([0, 1, 2].map(|slot| layout.slots().sample(slot)), [1, 0, 2]);
    }

    #[test]
    fn squares_lie_in_one_file() {
        let layout = Layout::of(&[Line::new("a".into()), Line::new("b".into())]).unwrap();
        assert_eq!(layout.files("train"), [("train".to_owned(), 2, None)]);
        assert_eq!((layout.place(1), layout.time_ids(1)), ((0, 1), None));
        assert_eq!(serde_json::to_string(&Line::new("a".into())).unwrap(), r#"{"text":"a"}"#);
    }

    #[test]
    fn repeats_and_mirrors_are_slots() {
        let lines = [Line { repeats: 2, flip: true, ..Line::new("a".into()) }, Line::new("b".into())];
        let layout = Layout::of(&lines).unwrap();
        let slots = layout.slots();
        assert_eq!((slots.counts(), slots.len()), ([5].as_slice(), 5));
        assert_eq!([0, 1, 2, 3, 4].map(|slot| slots.sample(slot)), [0, 0, 0, 0, 1]);
        let read = |samples: &[i64]| {
            Ok::<_, ()>(
                tch::Tensor::from_slice(samples).reshape([-1, 1, 1, 1]).expand([-1, 1, 1, 2], false)
                    + tch::Tensor::from_slice(&[0.0, 0.5]),
            )
        };
        let drawn = Vec::<f64>::try_from(slots.mirrored(&[0, 1, 4], read).unwrap().flatten(0, -1)).unwrap();
        assert_eq!(drawn, [0.0, 0.5, 0.5, 0.0, 1.0, 1.5]);
    }

    #[test]
    fn lines_that_do_not_fit_each_other_are_told() {
        let told = |lines: &[Line]| Layout::of(lines).unwrap_err();
        assert_eq!(
            told(&[line("a", [8, 4]), Line::new("b".into())]),
            "1 of 2 lines have a `framing`: all must, or none"
        );
        assert_eq!(told(&[Line { repeats: 0, ..Line::new("a".into()) }]), "`repeats` of 0 is not from 1 to 10000");
    }
}
