//! `WebDataset`: pictures with captions from tar shards.

mod sample;
mod shard;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hyper_flow_spec::kinds::WebDataset;
use hyper_flow_spec::{Level, Sha256, Url};

use super::framing::{Enlarged, Sizes};
use crate::artifacts::dataset::{ADVICE, Account, Opaque, Reason, Writer, some};
use crate::worker::{Context, download};
use crate::{NodeError, files};
use sample::{Found, dotted, extensions, find};
use shard::{Sample, Stopped};

/// What the names of shards end in.
const ENDS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

struct Intake<'a> {
    context: &'a Context,
    params: &'a WebDataset,
    dataset: Writer<'a>,
    sizes: Sizes<'a>,
    opaque: Opaque,
    enlarged: Enlarged,
    account: Account,
    /// Members that are passed over for the dots in their names.
    dotted: Vec<String>,
}

pub(super) fn run(context: &Context, params: &WebDataset) -> Result<(), NodeError> {
    let dataset = Writer::new(context, params.channels.get(), params.size.get(), params.masks)?;
    let mut intake = Intake {
        context,
        params,
        dataset,
        sizes: Sizes::new(params.pictures()),
        opaque: Opaque::default(),
        enlarged: Enlarged::default(),
        account: Account::default(),
        dotted: Vec::new(),
    };
    let sources = sources(context, params)?;
    for (done, source) in sources.iter().enumerate() {
        intake.shard(source)?;
        context.progress(done + 1, sources.len(), "shards")?;
    }
    intake.account.tell(context)?;
    intake.enlarged.tell(context, params.pictures());
    let hints = intake.hints();
    if intake.dataset.is_empty() {
        let hints = if hints.is_empty() { String::new() } else { format!(": {}", hints.join("; ")) };
        return Err(NodeError::Unfit(format!("no sample of the shards has a picture and a caption{hints}")));
    }
    hints.into_iter().for_each(|hint| context.reporter.message(Level::Warning, hint));
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
        let mut own = Vec::new();
        let outcome =
            shard::read(&path, &extensions(), |name| own.push(name.to_owned()), |sample| self.sample(&shown, &sample));
        own.into_iter().for_each(|name| self.account.leave_out(Reason::Own, name));
        match outcome {
            Ok(()) => Ok(()),
            Err(Stopped::Failed(error)) => Err(error),
            Err(Stopped::Damaged(why)) => self.damaged(&shown, &why),
        }
    }

    fn sample(&mut self, shard: &Path, sample: &Sample) -> Result<(), NodeError> {
        self.context.stop_if_asked()?;
        match find(sample, self.sizes.wanted()) {
            Ok(Found::Pair(read, caption)) => {
                self.opaque.count(&read);
                self.enlarged.look(&sample.key, &read);
                self.account.take(&sample.key, &caption, &read.remarks);
                self.dataset.push(&read.pixels, read.mask.as_deref(), self.sizes.line(&caption, &read, 1))?;
            }
            Ok(Found::Small) => self.account.leave_out(Reason::Small, &sample.key),
            Ok(Found::NoPicture) => self.incomplete(Reason::NoPicture, sample),
            Ok(Found::NoCaption) => self.incomplete(Reason::NoCaption, sample),
            Err(why) => self.damaged(shard, &why)?,
        }
        Ok(())
    }

    fn incomplete(&mut self, reason: Reason, sample: &Sample) {
        self.account.leave_out(reason, &sample.key);
        self.dotted.extend(dotted(sample));
    }

    /// Why samples may be incomplete.
    fn hints(&self) -> Vec<String> {
        let keys = |reason| self.account.left_out(&reason).iter().collect::<BTreeSet<_>>();
        let apart: Vec<String> =
            keys(Reason::NoPicture).intersection(&keys(Reason::NoCaption)).map(|key| (*key).clone()).collect();
        let dotted = (!self.dotted.is_empty()).then(|| {
            let names = some(&self.dotted);
            format!("the key of a sample ends at the first dot of its name, so rename {names}")
        });
        let apart = (!apart.is_empty()).then(|| {
            let (count, keys) = (apart.len(), some(&apart));
            format!("picture and caption of {count} samples do not follow each other, so sort the tar: {keys}")
        });
        dotted.into_iter().chain(apart).collect()
    }

    fn damaged(&mut self, shard: &Path, why: &str) -> Result<(), NodeError> {
        if !self.params.skip_damaged {
            return Err(NodeError::content(shard, format!("{why}; {ADVICE}")));
        }
        let name = shard.file_name().unwrap_or_default().to_string_lossy();
        self.account.leave_out(Reason::Damaged, format!("{name}: {why}"));
        Ok(())
    }
}
