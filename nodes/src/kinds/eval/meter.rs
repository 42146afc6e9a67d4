//! What pictures are measured by.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_diffusion::metrics::{Real, Resamples};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::scores::{Captions, ClipScore, Score};
use hyper_flow_diffusion::{Classifier, ClassifierConfig};
use hyper_flow_spec::kinds::Eval;
use tch::{Device, Kind, Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::dataset::Dataset;
use crate::artifacts::program::Program;
use crate::artifacts::scorer::{Scorer, check_channels};
use crate::worker::Context;

/// Pictures of one caption that are resampled among themselves; fewer would be too alike in every resample.
const STRATUM: usize = 10;

/// Judge, CLIP and scores, and the real pictures as they see them.
pub(super) struct Meter<'a> {
    pub(super) context: &'a Context,
    pub(super) judge: Option<Judge>,
    pub(super) clip: ClipScore,
    pub(super) clip_captions: Captions,
    pub(super) reward: Option<Scorer>,
    pub(super) scores: Vec<(&'a str, Scorer)>,
    /// The scores that programs give, and where the artifacts are.
    pub(super) programs: Vec<(&'a str, &'a Path, Program)>,
    /// The distinct captions of all pictures that are measured, sorted.
    pub(super) captions: Vec<String>,
    /// The real pictures that were trained on, by their features.
    pub(super) real: Real,
    /// Of the drawn pictures: the same for every row, so that rows can be compared in pairs.
    pub(super) resamples: Resamples,
    resample_count: i64,
}

/// A classifier of pictures.
pub(super) struct Judge {
    pub(super) net: Classifier,
    pub(super) config: ClassifierConfig,
}

impl<'a> Meter<'a> {
    /// For pictures of the captions `drawn`, and for the dataset's held-out half.
    pub(super) fn new(
        context: &'a Context,
        params: &'a Eval,
        data: &Dataset,
        drawn: &[String],
    ) -> Result<Self, NodeError> {
        let (device, channels) = (context.device, data.channels());
        let mut captions: Vec<String> = drawn.iter().chain(&data.held_out.captions).cloned().collect();
        captions.sort();
        captions.dedup();
        let judge = params.judge.as_ref().map(|port| Judge::load(context.input(port)?, drawn, device)).transpose()?;
        let clip = ClipScore::load(context.input(&params.clip)?, Kind::Float, device)?;
        check_channels(&clip, channels)?;
        let scorer = |folder: &Path| Scorer::load(folder, &captions, channels, Kind::Float, device);
        let reward = params.reward.as_ref().map(|port| scorer(context.input(port)?)).transpose()?;
        let (mut scores, mut programs) = (Vec::new(), Vec::new());
        for (name, port) in &params.scores {
            let folder = context.input(port)?;
            match Program::is_in(folder) {
                true => programs.push((name.as_str(), folder, Program::read(folder)?)),
                false => scores.push((name.as_str(), scorer(folder)?)),
            }
        }
        let clip_captions = clip.captions(&captions)?;
        let see = |pictures: &Tensor| match &judge {
            Some(judge) => judge.net.features(pictures),
            None => clip.features(pictures),
        };
        let chunk = |chunk: &Vec<i64>| {
            context.stop_if_asked()?;
            let pictures = data.train.images(chunk, device)?;
            Ok(no_grad(|| see(&pictures)))
        };
        let real = data.train.chunks().iter().map(chunk).collect::<Result<Vec<_>, NodeError>>()?;
        let real = Real::new(&Tensor::cat(&real, 0), Eval::NEIGHBOURS)?;
        let resample_count = params.resamples.get();
        let resamples = resample(context, "drawn", drawn, resample_count);
        Ok(Self {
            context,
            judge,
            clip,
            clip_captions,
            reward,
            scores,
            programs,
            captions,
            real,
            resamples,
            resample_count,
        })
    }

    /// Resamples of other pictures than the drawn ones, with these captions.
    pub(super) fn resamples_of(&self, which: &str, captions: &[String]) -> Resamples {
        resample(self.context, which, captions, self.resample_count)
    }
}

/// Resamples of pictures with these captions. How often a caption is drawn is no chance: where there are enough pictures of
/// it, they stay as many.
fn resample(context: &Context, which: &str, captions: &[String], count: i64) -> Resamples {
    let mut places: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (place, caption) in captions.iter().enumerate() {
        places.entry(caption).or_default().push(place);
    }
    let mut strata = vec![0; captions.len()];
    for (stratum, own) in (1..).zip(places.values().filter(|own| own.len() >= STRATUM)) {
        own.iter().for_each(|&place| strata[place] = stratum);
    }
    Resamples::draw(&strata, count, &mut Rng::at(context.seed(), &format!("Eval/bootstrap/{which}"), 0))
}

impl Judge {
    /// Reads a `Classifier` artifact, which must have a class for each caption.
    fn load(folder: &Path, captions: &[String], device: Device) -> Result<Self, NodeError> {
        let (net, config) = Classifier::load(folder, device)?;
        match captions.iter().find(|caption| !config.classes.contains(caption)) {
            Some(unknown) => {
                Err(NodeError::Unfit(format!("the judge has no class `{unknown}`; train it on the same dataset")))
            }
            None => Ok(Self { net, config }),
        }
    }
}
