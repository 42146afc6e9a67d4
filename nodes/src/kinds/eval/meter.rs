//! What pictures are measured by.

use hyper_flow_diffusion::scores::{Captions, ClipScore, Score};
use hyper_flow_diffusion::{Classifier, ClassifierConfig, DiffusionError};
use hyper_flow_spec::kinds::Eval;
use tch::{Device, Kind, Tensor, no_grad};

use super::row::Row;
use super::tally::Tally;
use crate::NodeError;
use crate::dataset::Dataset;
use crate::scorer::{Scorer, check_channels};
use crate::worker::Context;

/// Judge, CLIP and scores, and the real pictures as they see them.
pub(super) struct Meter<'a> {
    pub(super) context: &'a Context,
    pub(super) judge: Option<Judge>,
    pub(super) clip: ClipScore,
    pub(super) clip_captions: Captions,
    pub(super) reward: Option<Scorer>,
    pub(super) scores: Vec<(&'a str, Scorer)>,
    /// The distinct captions of all pictures that are measured, sorted.
    pub(super) captions: Vec<String>,
    /// Features of the real pictures that were trained on.
    pub(super) real: Tensor,
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
        let (device, channels) = (context.device, data.shape().channels);
        let mut captions: Vec<String> = drawn.iter().chain(&data.held_out.captions).cloned().collect();
        captions.sort();
        captions.dedup();
        let judge = params.judge.as_ref().map(|port| Judge::load(context.input(port)?, drawn, device)).transpose()?;
        let clip = ClipScore::load(context.input(&params.clip)?, Kind::Float, device)?;
        check_channels(&clip, channels)?;
        let scorer = |port| Scorer::load(context.input(port)?, &captions, channels, Kind::Float, device);
        let reward = params.reward.as_ref().map(scorer).transpose()?;
        let scores = params.scores.iter().map(|(name, port)| Ok((name.as_str(), scorer(port)?)));
        let scores = scores.collect::<Result<_, NodeError>>()?;
        let clip_captions = clip.captions(&captions)?;
        let see = |pictures: &Tensor| match &judge {
            Some(judge) => judge.net.features(pictures),
            None => clip.features(pictures),
        };
        let chunk = |pictures: Result<Tensor, DiffusionError>| {
            context.stop_if_asked()?;
            let pictures = pictures?;
            Ok(no_grad(|| see(&pictures)))
        };
        let real = data.train.chunks(device).map(chunk).collect::<Result<Vec<_>, NodeError>>()?;
        Ok(Self { context, real: Tensor::cat(&real, 0), judge, clip, clip_captions, reward, scores, captions })
    }

    /// The held-out real pictures: the floor under every distance.
    pub(super) fn held_out(&self, data: &Dataset) -> Result<Row, NodeError> {
        let mut tally = Tally::new(self);
        let captions = data.held_out.captions.chunks(data.held_out.chunk() as usize);
        for (pictures, captions) in data.held_out.chunks(self.context.device).zip(captions) {
            self.context.stop_if_asked()?;
            tally.add(&pictures?, captions, None);
        }
        tally.row("real, held out")
    }
}

impl Judge {
    /// Reads a `Classifier` artifact, which must have a class for each caption.
    fn load(folder: &std::path::Path, captions: &[String], device: Device) -> Result<Self, NodeError> {
        let (net, config) = Classifier::load(folder, device)?;
        match captions.iter().find(|caption| !config.classes.contains(caption)) {
            Some(unknown) => {
                Err(NodeError::Unfit(format!("the judge has no class `{unknown}`; train it on the same dataset")))
            }
            None => Ok(Self { net, config }),
        }
    }
}
