//! The numbers of a row.

use hyper_flow_diffusion::metrics::{diversity, frechet_distance, manifold};
use hyper_flow_diffusion::{Classifier, ClassifierConfig, DiffusionError};
use tch::{Device, Kind, Tensor, no_grad};

use super::row::Row;
use super::subject::Subject;
use crate::NodeError;
use crate::dataset::Dataset;
use crate::scorer::{Scorer, cosine};

/// Neighbours of the balls that coverage is counted by (Naeem et al. 2020).
const NEIGHBOURS: i64 = 5;

/// Measures pictures against the real ones.
pub(super) struct Meter<'a> {
    judge: &'a Classifier,
    classes: &'a [String],
    clip: &'a Scorer,
    reward: Option<&'a Scorer>,
    /// Features of the real pictures that were trained on.
    real: Tensor,
    /// The caption of each picture to be measured.
    captions: Vec<String>,
    /// Pictures that are measured at once.
    chunk: i64,
    device: Device,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        judge: &'a Classifier,
        config: &'a ClassifierConfig,
        clip: &'a Scorer,
        reward: Option<&'a Scorer>,
        data: &Dataset,
        captions: Vec<&str>,
        device: Device,
    ) -> Result<Self, NodeError> {
        if let Some(unknown) = captions.iter().find(|caption| !config.classes.iter().any(|class| class == *caption)) {
            return Err(NodeError::Unfit(format!("the judge has no class `{unknown}`; train it on the same dataset")));
        }
        let real = data.train.chunks(device).map(|chunk| chunk.map(|pictures| no_grad(|| judge.features(&pictures))));
        let real = Tensor::cat(&real.collect::<Result<Vec<_>, DiffusionError>>()?, 0);
        let captions = captions.into_iter().map(str::to_owned).collect();
        Ok(Self { judge, classes: &config.classes, clip, reward, real, captions, chunk: data.train.chunk(), device })
    }

    /// A subject's pictures, against the reference's of the same noise where there is one.
    pub(super) fn row(
        &self,
        subject: &Subject<'_>,
        pictures: &Tensor,
        reference: Option<&Tensor>,
    ) -> Result<Row, NodeError> {
        let error = |other: &Tensor| (pictures - other).square().mean(Kind::Double).double_value(&[]);
        let chunks = pictures.split(self.chunk, 0).into_iter().map(Ok);
        let row = self.measure(subject.name, chunks, &self.captions)?;
        Ok(Row { steps: Some(subject.steps.get()), trajectory_mse: reference.map(error), ..row })
    }

    /// The held-out real pictures: the floor under every distance.
    pub(super) fn held_out(&self, data: &Dataset) -> Result<Row, NodeError> {
        self.measure("real, held out", data.held_out.chunks(self.device), &data.held_out.captions)
    }

    fn measure(
        &self,
        name: &str,
        pictures: impl Iterator<Item = Result<Tensor, DiffusionError>>,
        captions: &[String],
    ) -> Result<Row, NodeError> {
        let mut clip = Agreement::new(self.clip, self.classes)?;
        let mut reward = self.reward.map(|scorer| Agreement::new(scorer, self.classes)).transpose()?;
        let mut seen = Vec::new();
        for (pictures, classes) in pictures.zip(self.class_indices(captions).split(self.chunk, 0)) {
            let pictures = pictures?;
            for agreement in std::iter::once(&mut clip).chain(&mut reward) {
                agreement.add(&pictures, &classes)?;
            }
            seen.push(no_grad(|| self.judge.features(&pictures)));
        }
        let features = Tensor::cat(&seen, 0);
        Ok(Row {
            candidate: name.to_owned(),
            steps: None,
            frechet: frechet_distance(&self.real, &features),
            clip_score: 100.0 * clip.mean(),
            reward: reward.as_ref().map(Agreement::mean),
            diversity: self.diversity_within(&features, captions),
            coverage: manifold(&self.real, &features, NEIGHBOURS)?.coverage,
            accuracy: self.accuracy(&features, captions),
            trajectory_mse: None,
        })
    }

    fn class_indices(&self, captions: &[String]) -> Tensor {
        let class = |caption: &String| self.classes.iter().position(|c| c == caption).map_or(-1, |i| i as i64);
        Tensor::from_slice(&captions.iter().map(class).collect::<Vec<_>>()).to_device(self.device)
    }

    fn accuracy(&self, features: &Tensor, captions: &[String]) -> f64 {
        let read = no_grad(|| self.judge.logits(features)).argmax(1, false);
        read.eq_tensor(&self.class_indices(captions)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
    }

    /// Mean distance of two pictures of one caption, averaged over the captions: that pictures of different captions differ
    /// says nothing.
    fn diversity_within(&self, features: &Tensor, captions: &[String]) -> f64 {
        let classes = self.class_indices(captions);
        let within = (0..self.classes.len() as i64).filter_map(|class| {
            let own = features.index_select(0, &classes.eq(class).nonzero().flatten(0, -1));
            (own.size()[0] > 1).then(|| diversity(&own))
        });
        let within: Vec<f64> = within.collect();
        within.iter().sum::<f64>() / within.len() as f64
    }
}

/// The mean cosine of pictures and captions, in the making.
struct Agreement<'a> {
    scorer: &'a Scorer,
    /// The classes in the scorer's space.
    texts: Tensor,
    total: f64,
    count: i64,
}

impl<'a> Agreement<'a> {
    fn new(scorer: &'a Scorer, classes: &[String]) -> Result<Self, NodeError> {
        Ok(Self { scorer, texts: scorer.captions(classes)?, total: 0.0, count: 0 })
    }

    fn add(&mut self, pictures: &Tensor, classes: &Tensor) -> Result<(), NodeError> {
        let seen = no_grad(|| self.scorer.pictures(pictures))?;
        self.total += cosine(&seen, &self.texts.index_select(0, classes)).sum(Kind::Double).double_value(&[]);
        self.count += classes.size()[0];
        Ok(())
    }

    fn mean(&self) -> f64 {
        self.total / self.count as f64
    }
}
