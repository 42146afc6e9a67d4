//! `WebDataset`: pictures with captions from tar shards.

mod sample;
mod shard;

use std::path::{Path, PathBuf};

use hyper_flow_spec::kinds::WebDataset;
use hyper_flow_spec::{Level, Sha256, Url};

use crate::artifacts::dataset::{Opaque, Writer};
use crate::artifacts::samples::Line;
use crate::picture::Wanted;
use crate::worker::Context;
use crate::worker::download;
use crate::{NodeError, files};
use sample::{Found, extensions, find};
use shard::{Sample, Stopped};

/// Damaged members that are named; the others are only counted.
const NAMED: usize = 5;

/// What the names of shards end in.
const ENDS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// What is left out, to be told at the end.
#[derive(Default)]
struct LeftOut {
    without_picture: usize,
    without_caption: usize,
    damaged: Vec<String>,
}

struct Intake<'a> {
    context: &'a Context,
    params: &'a WebDataset,
    dataset: Writer<'a>,
    opaque: Opaque,
    left_out: LeftOut,
}

pub(super) fn run(context: &Context, params: &WebDataset) -> Result<(), NodeError> {
    let dataset = Writer::new(context, params.channels.get(), params.size.get(), params.masks)?;
    let mut intake = Intake { context, params, dataset, opaque: Opaque::default(), left_out: LeftOut::default() };
    let sources = sources(context, params)?;
    for (done, source) in sources.iter().enumerate() {
        intake.shard(source)?;
        context.progress(done + 1, sources.len(), "shards")?;
    }
    intake.left_out.tell(context);
    intake.opaque.tell(context)?;
    intake.dataset.finish(params.held_out.get())
}

/// Where a shard is.
enum Source<'a> {
    Here(PathBuf),
    There(&'a Url, &'a Sha256),
}

fn sources<'a>(context: &Context, params: &'a WebDataset) -> Result<Vec<Source<'a>>, NodeError> {
    let mut sources = Vec::new();
    for file in params.shards.iter().flatten() {
        let path = context.file(file)?;
        match path.is_dir() {
            true => sources.extend(shards_in(path)?.into_iter().map(Source::Here)),
            false => sources.push(Source::Here(path.to_owned())),
        }
    }
    sources.extend(params.urls.iter().flatten().map(|(url, sha256)| Source::There(url, sha256)));
    Ok(sources)
}

/// The shards in a folder, in order of their names.
fn shards_in(folder: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let mut paths = files::list(folder)?;
    let is_shard = |path: &PathBuf| path.to_str().is_some_and(|name| ENDS.iter().any(|end| name.ends_with(end)));
    paths.retain(is_shard);
    match paths.is_empty() {
        true => Err(NodeError::content(folder, format!("has no shard in it, whose name ends in {}", ENDS.join(", ")))),
        false => Ok(paths),
    }
}

impl Source<'_> {
    /// The file, downloaded if need be. What was downloaded stays until the node is done: it may be interrupted.
    fn path(&self, context: &Context) -> Result<PathBuf, NodeError> {
        match self {
            Source::Here(path) => Ok(path.clone()),
            Source::There(url, sha256) => {
                let path = context.job.scratch.join("shards").join(sha256.as_str());
                download(context, url, sha256, &path)?;
                Ok(path)
            }
        }
    }

    /// How it is named in messages.
    fn shown(&self, path: &Path) -> PathBuf {
        match self {
            Source::Here(_) => path.to_owned(),
            Source::There(url, _) => url.shown().into(),
        }
    }
}

impl Intake<'_> {
    /// Takes the samples of a shard.
    fn shard(&mut self, source: &Source<'_>) -> Result<(), NodeError> {
        let path = source.path(self.context)?;
        let shown = source.shown(&path);
        match shard::read(&path, &extensions(), |sample| self.sample(&shown, &sample)) {
            Ok(()) => Ok(()),
            Err(Stopped::Failed(error)) => Err(error),
            Err(Stopped::Damaged(why)) => self.damaged(&shown, &why),
        }
    }

    fn sample(&mut self, shard: &Path, sample: &Sample) -> Result<(), NodeError> {
        self.context.stop_if_asked()?;
        let (side, channels) = (self.params.size.get() as u32, self.params.channels.get());
        match find(sample, Wanted { side, channels, masks: self.params.masks }) {
            Ok(Found::Pair(square, caption)) => {
                self.opaque.count(&square);
                self.dataset.push(&square.pixels, square.mask.as_deref(), Line::new(caption))?;
            }
            Ok(Found::NoPicture) => self.left_out.without_picture += 1,
            Ok(Found::NoCaption) => self.left_out.without_caption += 1,
            Err(why) => self.damaged(shard, &why)?,
        }
        Ok(())
    }

    fn damaged(&mut self, shard: &Path, why: &str) -> Result<(), NodeError> {
        if !self.params.skip_damaged {
            let advice = "mend it, or leave what is damaged out by `skip_damaged: true`";
            return Err(NodeError::content(shard, format!("{why}; {advice}")));
        }
        self.left_out.damaged.push(format!("{}: {why}", shard.display()));
        Ok(())
    }
}

impl LeftOut {
    fn tell(&self, context: &Context) {
        let warn = |text: String| context.reporter.message(Level::Warning, text);
        if self.without_picture > 0 {
            warn(format!("{} samples have no picture and are left out", self.without_picture));
        }
        if self.without_caption > 0 {
            warn(format!("{} samples have no caption and are left out", self.without_caption));
        }
        if !self.damaged.is_empty() {
            let named = self.damaged.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("\n");
            warn(format!("{} times something damaged is left out:\n{named}", self.damaged.len()));
        }
    }
}
