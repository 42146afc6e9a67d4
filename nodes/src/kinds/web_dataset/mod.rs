//! `WebDataset`: pictures with captions from tar shards.

mod sample;
mod shard;

use std::path::{Path, PathBuf};

use hyper_flow_spec::kinds::WebDataset;
use hyper_flow_spec::{File, Level, Sha256, Url};

use crate::NodeError;
use crate::dataset::{Shape, Writer};
use crate::download::download;
use crate::worker::Context;
use sample::{Found, extensions, find};
use shard::{Sample, Stopped};

/// Damaged members that are named; the others are only counted.
const NAMED: usize = 5;

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
    left_out: LeftOut,
}

pub(super) fn run(context: &Context, params: &WebDataset) -> Result<(), NodeError> {
    let shape = Shape { channels: params.channels.get(), side: params.size.get() };
    let dataset = Writer::new(context, shape)?;
    let mut intake = Intake { context, params, dataset, left_out: LeftOut::default() };
    let sources = sources(params);
    for (done, source) in sources.iter().enumerate() {
        intake.shard(source)?;
        context.progress(done + 1, sources.len(), "shards")?;
    }
    intake.left_out.tell(context);
    intake.dataset.finish(params.held_out.get())
}

/// Where a shard is.
enum Source<'a> {
    Here(&'a File),
    There(&'a Url, &'a Sha256),
}

fn sources(params: &WebDataset) -> Vec<Source<'_>> {
    let here = params.shards.iter().flatten().map(Source::Here);
    let there = params.urls.iter().flatten().map(|(url, sha256)| Source::There(url, sha256));
    here.chain(there).collect()
}

impl Source<'_> {
    /// The file, downloaded if need be. What was downloaded stays until the node is done: it may be interrupted.
    fn path(&self, context: &Context) -> Result<PathBuf, NodeError> {
        match self {
            Source::Here(file) => Ok(context.file(file)?.to_owned()),
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
        match find(sample, self.params.size.get() as u32, self.params.channels.get()) {
            Ok(Found::Pair(pixels, caption)) => self.dataset.push(&pixels, caption)?,
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
