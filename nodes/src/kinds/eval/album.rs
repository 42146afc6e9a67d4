//! The pictures of a row as files, for programs that score them.

use std::path::PathBuf;

use tch::Tensor;

use super::meter::Meter;
use crate::picture::{CAPTIONS, Line, save, to_bytes};
use crate::{NodeError, files};

/// A folder of pictures, in the job's scratch directory.
pub(super) struct Album<'a> {
    meter: &'a Meter<'a>,
    folder: PathBuf,
    /// The place of each picture's caption among the meter's.
    captions: Vec<usize>,
}

impl<'a> Album<'a> {
    /// An empty one; none where no program asks for it.
    pub(super) fn new(meter: &'a Meter<'a>) -> Result<Option<Self>, NodeError> {
        if meter.programs.is_empty() {
            return Ok(None);
        }
        let folder = meter.context.job.scratch.join("pictures");
        files::make_empty(&folder)?;
        Ok(Some(Self { meter, folder, captions: Vec::new() }))
    }

    /// Adds pictures (b, c, h, w) with the places of their captions.
    pub(super) fn add(&mut self, pictures: &Tensor, captions: &[i64]) -> Result<(), NodeError> {
        for (picture, caption) in to_bytes(pictures).iter().zip(captions) {
            save(&self.folder.join(name(self.captions.len())), picture)?;
            self.captions.push(*caption as usize);
        }
        Ok(())
    }

    /// What each program says of each picture. The pictures are gone then.
    pub(super) fn scores(&self) -> Result<Vec<(&'a str, Tensor)>, NodeError> {
        let captions = self.captions.iter().map(|&caption| self.meter.captions[caption].as_str());
        let lines: Vec<_> = captions.enumerate().map(|(i, text)| Line { file_name: name(i), text }).collect();
        files::write_lines(&self.folder.join(CAPTIONS), &lines)?;
        let mut scores = Vec::new();
        for (name, artifact, program) in &self.meter.programs {
            let own = program.score(self.meter.context, artifact, &self.folder, lines.len())?;
            scores.push((*name, Tensor::from_slice(&own)));
        }
        files::remove(&self.folder)?;
        Ok(scores)
    }
}

fn name(picture: usize) -> String {
    format!("{picture:06}.png")
}
